"""libsemel for Conan 2: conan create packaging/conan --build=missing"""

from pathlib import Path

from conan import ConanFile
from conan.tools.files import copy
from conan.tools.gnu import PkgConfigDeps
from conan.tools.meson import Meson, MesonToolchain


class Semel(ConanFile):
    name = "semel"
    version = "0.1.0"
    license = "Apache-2.0"
    description = "Kafka topics into a store, exactly once"
    package_type = "shared-library"
    settings = "os", "arch", "compiler", "build_type"

    def export_sources(self):
        root = Path(self.recipe_folder).parent.parent
        for pattern in ("meson.build", "meson_options.txt", "LICENSE", "include/*", "src/*", "connectors/*", "bench/*", "docs/man/*", "packaging/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def layout(self):
        self.folders.generators = "conan"

    def requirements(self):
        # The only one that the headers use.
        self.requires("tl-expected/1.1.0", transitive_headers=True)
        for one in ("librdkafka/2.4.0", "libpqxx/7.9.0", "libpq/15.4", "rocksdb/8.8.1", "simdjson/3.9.1", "tomlplusplus/3.4.0", "cli11/2.4.1",
                    "spdlog/1.14.1", "fmt/10.2.1", "nlohmann_json/3.11.3", "prometheus-cpp/1.2.4", "cpp-httplib/0.15.3", "sqlite3/3.45.3", "zlib/1.3.1",
                    "util-linux-libuuid/2.39.2"):
            self.requires(one)

    def build_requirements(self):
        self.tool_requires("meson/1.4.0")
        self.tool_requires("pkgconf/2.2.0")

    def generate(self):
        PkgConfigDeps(self).generate()
        toolchain = MesonToolchain(self)
        toolchain.project_options["tests"] = False
        toolchain.generate()

    def build(self):
        meson = Meson(self)
        meson.configure()
        meson.build()

    def package(self):
        Meson(self).install()
        copy(self, "LICENSE", self.source_folder, Path(self.package_folder) / "licenses")

    def package_info(self):
        self.cpp_info.libs = ["semel"]
        self.cpp_info.set_property("cmake_target_name", "semel::semel")
        self.cpp_info.set_property("pkg_config_name", "semel")
