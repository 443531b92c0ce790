// hostile-postgres TARGET_PORT [PORT]: the proxy as a program. Says where it listens, then obeys
// commands from standard input, a line each, until that ends.
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include "support/hostile_postgres.hpp"

int main(int argc, char** argv) try {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: hostile-postgres TARGET_PORT [PORT]\n";
    return 2;
  }
  semel::test::HostilePostgres proxy(std::stoi(argv[1]), argc > 2 ? std::stoi(argv[2]) : 0);
  std::cout << "listening on 127.0.0.1:" << proxy.port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << proxy.command(line) << std::endl;
  }
} catch (const std::exception& error) {
  std::cerr << "hostile-postgres: " << error.what() << "\n";
  return 1;
}
