// What was seen of the network: names looked up, name servers asked, connections tried. Facts; what they mean is
// judged in judge_network.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "dns/server_probe.h"
#include "doctor/targets.h"
#include "doctor/vantage.h"

namespace sidegate::doctor {

enum class Family : std::uint8_t { kFour, kSix };
constexpr const char* word(Family family) {
  return family == Family::kFour ? "IPv4" : "IPv6";
}

// One connection to one address of one target.
struct Trial {
  std::string target;  // as it was named
  std::string owner;   // owner_of(target)
  std::string address;
  Family family = Family::kFour;
  std::uint16_t port = 25;
  bool chosen = false;                // it is known to listen there
  std::optional<ErrorKind> failed{};  // absent: connected
  std::string why{};                  // in the system's words
  std::int64_t milliseconds = 0;
  // What was said in the clear, on ports where the server speaks first. 0: nothing.
  int greeting_code = 0;
  std::string greeting{};   // the first line, printable
  std::string name{};       // the name in it: "mx.example.org"
  std::string ehlo_name{};  // that of the answer to EHLO
  bool spoken = false;      // EHLO was answered
  bool starttls = false;
  std::string seen_as{};  // our address as the server names it in its answer to EHLO
  // On ports with TLS from the first octet.
  bool tls = false, verified = false;
  std::string fingerprint{}, certificate{};  // certificate: its names
  bool open() const { return !failed; }
};

struct NameSeen {
  std::string host;
  Result<std::vector<std::string>> found;  // kNotFound: there is none
};

struct NetworkSeen {
  std::vector<Interface> own;
  bool route4 = false, route6 = false;  // the system knows a way to the world
  std::string source4{}, source6{};     // and would send from there
  std::vector<NameSeen> names;          // of targets that are names
  std::vector<dns::ServerSeen> servers;
  std::vector<Trial> trials;
  // A server that is no target (a relay) has answered by that family: the line works, whatever the targets do.
  bool others_answer4 = false, others_answer6 = false;
};

}  // namespace sidegate::doctor
