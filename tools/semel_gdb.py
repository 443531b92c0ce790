"""Values of semel as gdb shows them: `clicks[3] [100, 250)` instead of its members. docs/developing/debugging.md says how.

gdb -x tools/semel_gdb.py --args build/test/src/cli/semel run clicks.toml      or, within gdb: source tools/semel_gdb.py
Needs libstdc++'s own printers, which Debian's gdb loads by itself. Tested by tests/unit/gdb."""

import gdb
import gdb.printing


def text(value):
    """A std::string without quotes; of anything else what gdb makes of it."""
    printer = gdb.default_visualizer(value)
    if printer is None or not hasattr(printer, "to_string"):
        return str(value)
    shown = printer.to_string()
    if hasattr(shown, "value"):  # a lazy string
        return shown.value().string(length=shown.length)
    return str(shown)


def word(value):
    """An enumerator's own name."""
    return str(value).rpartition("::")[2]


def optional(value):
    """What a std::optional holds, or None."""
    payload = value["_M_payload"]
    return payload["_M_payload"]["_M_value"] if payload["_M_engaged"] else None


def elements(container):
    """What libstdc++'s printer tells of a container, in turn; of a map: keys and values in turns."""
    printer = gdb.default_visualizer(container)
    return [value for _, value in printer.children()] if printer else []


def or_none(value, show=str):
    held = optional(value)
    return "none" if held is None else show(held)


def tp(value):
    return f"{text(value['topic'])}[{int(value['partition'])}]"


def offsets(value):
    return f"{tp(value['tp'])} [{int(value['from'])}, {int(value['until'])})"


def mark(value):
    return f"offset {int(value['offset'])} at {int(value['timestamp_ms'])}, checksum {int(value['checksum']):08x}"


def batch_time(value):
    return str(int(value["ms"]))


def progress(value):
    return f"{tp(value['tp'])} until {int(value['until'])} by batch {batch_time(value['batch_time'])}"


def task(value):
    flags = [name for name in ("isolate", "last_resort", "recheck") if value[name]]
    return " ".join([word(value["kind"]), offsets(value["range"]), f"of batch {batch_time(value['time'])},",
                     f"epoch {int(value['epoch'])}", *flags])


def entry(value):
    return f"until {or_none(value['until'])}, epoch {int(value['epoch'])}, owner {text(value['owner'])}"


def error(value):
    return f"{word(value['kind'])}, {word(value['cause'])}: {text(value['message'])}"


def queued(value):
    return f"{offsets(value['planned']['range'])} {word(value['stage'])}"


def partition_state(value):
    queue = "; ".join(queued(one) for one in elements(value["queue"]))
    return (f"committed {int(value['committed'])}, position {int(value['position'])}, latest {or_none(value['latest'])}, "
            f"queue: {queue or 'empty'}")


def driver_state(value):
    listed = elements(value["partitions"])
    partitions = "".join(f"\n  {tp(key)}: {partition_state(state)}" for key, state in zip(listed[::2], listed[1::2]))
    return f"{word(value['phase'])}, epoch {int(value['epoch'])}, {len(listed) // 2} partitions{partitions}"


def result(value):
    """Its value or its error."""
    if not value["m_has_val"]:
        return "error " + error(value["m_unexpect"]["m_val"])
    if value.type.template_argument(0).code == gdb.TYPE_CODE_VOID:
        return "ok"
    return f"ok {value['m_val'].format_string()}"


SHOWN = {
    "semel::TopicPartition": tp,
    "semel::OffsetRange": offsets,
    "semel::BatchTime": batch_time,
    "semel::RecordMark": mark,
    "semel::Progress": progress,
    "semel::Task": task,
    "semel::LedgerEntry": entry,
    "semel::Error": error,
    "semel::core::QueuedRange": queued,
    "semel::core::PartitionState": partition_state,
    "semel::core::DriverState": driver_state,
    "(tl::expected|semel::Result)<.*>": result,
}


class Shown:
    def __init__(self, show, value):
        self.show, self.value = show, value

    def to_string(self):
        return self.show(self.value)


def printers():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("semel")
    for name, show in SHOWN.items():
        collection.add_printer(name, f"^{name}$", lambda value, show=show: Shown(show, value))
    return collection


gdb.printing.register_pretty_printer(None, printers(), replace=True)
