// Parquet, by Apache Arrow.
#include <arrow/api.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/writer.h>

#include <memory>
#include <utility>

#include "file/encode.hpp"

namespace semel::file {

namespace {

using record::Value;

// As much as one row group holds: it is in memory until it is whole.
constexpr std::int64_t group_rows_max = 128 << 10;
constexpr std::size_t group_bytes_max = std::size_t{32} << 20;

/// What Arrow writes, until it is asked for.
class Bytes final : public arrow::io::OutputStream {
 public:
  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* data, std::int64_t size) override {
    pending_.append(static_cast<const char*>(data), static_cast<std::size_t>(size));
    written_ += size;
    return arrow::Status::OK();
  }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  arrow::Result<std::int64_t> Tell() const override { return written_; }
  bool closed() const override { return closed_; }

  void take(std::string& out) {
    out += pending_;
    pending_.clear();
  }

 private:
  std::string pending_;
  std::int64_t written_ = 0;
  bool closed_ = false;
};

std::shared_ptr<arrow::DataType> arrow_type(Type type) {
  switch (type) {
    case Type::int64:
      return arrow::int64();
    case Type::float64:
      return arrow::float64();
    case Type::boolean:
      return arrow::boolean();
    case Type::timestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case Type::any:
    case Type::string:
      break;
  }
  return arrow::utf8();
}

arrow::Status append(arrow::ArrayBuilder& builder, const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::integer:
      return static_cast<arrow::Int64Builder&>(builder).Append(cell.integer);
    case Cell::Kind::real:
      return static_cast<arrow::DoubleBuilder&>(builder).Append(cell.real);
    case Cell::Kind::boolean:
      return static_cast<arrow::BooleanBuilder&>(builder).Append(cell.integer != 0);
    case Cell::Kind::moment:
      return static_cast<arrow::TimestampBuilder&>(builder).Append(cell.integer);
    case Cell::Kind::text:
      return static_cast<arrow::StringBuilder&>(builder).Append(cell.text);
    case Cell::Kind::null:
    case Cell::Kind::refused:
      break;
  }
  return builder.AppendNull();
}

class Parquet final : public RowWriter {
 public:
  explicit Parquet(const std::vector<FileColumn>& columns) : columns_(columns) {
    arrow::FieldVector fields;
    for (const auto& [name, type] : columns_)
      fields.push_back(arrow::field(name, arrow_type(type)));
    schema_ = arrow::schema(fields);
    cells_.resize(columns_.size());
    scratch_.resize(columns_.size());
    status_ = open();
  }

  std::optional<Refusal> row(std::span<const Value> values, std::string& out) override {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      cells_[i] = cell_of(values[i], columns_[i].type, scratch_[i]);
      if (cells_[i].kind == Cell::Kind::refused) return Refusal{i, std::string(cells_[i].text)};
    }
    for (std::size_t i = 0; i < columns_.size() && status_.ok(); ++i) {
      status_ = append(*builders_[i], cells_[i]);
      bytes_ += sizeof(std::int64_t) + cells_[i].text.size();
    }
    if (++rows_ == group_rows_max || bytes_ >= group_bytes_max) write_group();
    bytes_out_->take(out);
    return std::nullopt;
  }

  Result<void> end(std::string& out) override {
    write_group();
    if (status_.ok()) status_ = writer_->Close();
    bytes_out_->take(out);
    if (status_.ok()) return {};
    return fail(ErrorKind::retriable, Cause::sink, "Parquet: " + status_.ToString());
  }

 private:
  arrow::Status open() {
    for (const auto& field : schema_->fields()) {
      ARROW_ASSIGN_OR_RAISE(auto builder, arrow::MakeBuilder(field->type()));
      builders_.push_back(std::move(builder));
    }
    parquet::WriterProperties::Builder properties;
    using arrow::Compression;
    if (arrow::util::Codec::IsAvailable(Compression::SNAPPY)) {
      properties.compression(Compression::SNAPPY);
    }
    ARROW_ASSIGN_OR_RAISE(writer_,
                          parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(),
                                                           bytes_out_, properties.build()));
    return arrow::Status::OK();
  }

  void write_group() {
    if (rows_ == 0 || !status_.ok()) return;
    arrow::ArrayVector arrays(builders_.size());
    for (std::size_t i = 0; i < builders_.size() && status_.ok(); ++i) {
      status_ = builders_[i]->Finish(&arrays[i]);
    }
    if (status_.ok()) {
      status_ = writer_->WriteTable(*arrow::Table::Make(schema_, arrays, rows_), rows_);
    }
    rows_ = 0;
    bytes_ = 0;
  }

  std::vector<FileColumn> columns_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders_;
  std::shared_ptr<Bytes> bytes_out_ = std::make_shared<Bytes>();
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  arrow::Status status_;  ///< the first that went wrong; end() tells it
  std::vector<Cell> cells_;
  std::vector<std::string> scratch_;
  std::int64_t rows_ = 0;  ///< of the group
  std::size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<RowWriter> parquet_rows(const std::vector<FileColumn>& columns) {
  return std::make_unique<Parquet>(columns);
}

}  // namespace semel::file
