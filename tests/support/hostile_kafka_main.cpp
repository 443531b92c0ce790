// hostile-kafka BROKER_PORT: the proxy as a program, for scripts. See hostile_kafka.hpp.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "support/hostile_kafka.hpp"

int main(int argc, char** argv) try {
  const int broker_port = argc == 2 ? std::atoi(argv[1]) : 0;
  if (broker_port <= 0) {
    std::cerr << "usage: hostile-kafka BROKER_PORT, then commands on standard input\n";
    return 2;
  }
  semel::test::HostileKafka proxy(broker_port);
  std::cout << "port " << proxy.port() << std::endl;
  // The end of the input is the end of the proxy: it goes with the script that started it.
  for (std::string command; std::getline(std::cin, command);) {
    const auto wrong = proxy.obey(command);
    std::cout << (wrong.empty() ? "done" : wrong) << std::endl;
  }
} catch (const std::exception& error) {
  std::cerr << "hostile-kafka: " << error.what() << '\n';
  return 1;
}
