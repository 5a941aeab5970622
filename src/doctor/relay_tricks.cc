#include "doctor/relay_tricks.h"

#include "base/text.h"

namespace sidegate::doctor {

std::vector<Trick> relay_tricks(const TrickWords& words) {
  const std::size_t at = words.away.rfind('@');
  const std::string user = words.away.substr(0, at), far = words.away.substr(at + 1);
  const std::string& ours = words.our_domain;
  // RFC 5321 section 4.1.3: address literals.
  const bool six = words.our_address.find(':') != std::string::npos;
  const std::string literal =
      words.our_address.empty() ? "[127.0.0.1]" : (six ? "[IPv6:" : "[") + words.our_address + "]";
  const std::string sender = "<" + words.sender + ">", plain = "<" + words.away + ">";
  std::vector<Trick> tricks = {
      {"plain", sender, plain},
      {"null_sender", "<>", plain},
      {"own_domain_sender", "<postmaster@" + ours + ">", plain},
      {"own_name_sender", "<root@" + words.our_name + ">", plain},
      {"own_literal_sender", "<postmaster@" + literal + ">", plain},
      {"localhost_sender", "<root@localhost>", plain},
      {"sender_without_domain", "<root>", plain},
      {"sender_is_recipient", plain, plain},
      {"without_brackets", sender, words.away},
      {"spaces", sender, " < " + words.away + " >"},
      {"quoted", sender, "<\"" + words.away + "\">", true},
      {"quoted_percent", sender, "<\"" + user + "%" + far + "\">", true},
      {"percent_alone", sender, "<" + user + "%" + far + ">", true},
      {"percent", sender, "<" + user + "%" + far + "@" + ours + ">", true},
      {"percent_literal", sender, "<" + user + "%" + far + "@" + literal + ">", true},
      {"two_ats", sender, "<" + words.away + "@" + ours + ">", true},
      {"two_ats_literal", sender, "<" + words.away + "@" + literal + ">", true},
      {"quoted_ours", sender, "<\"" + words.away + "\"@" + ours + ">", true},
      {"quoted_literal", sender, "<\"" + words.away + "\"@" + literal + ">", true},
      {"source_route", sender, "<@" + ours + ":" + words.away + ">"},
      {"source_route_literal", sender, "<@" + literal + ":" + words.away + ">"},
      {"source_route_name", sender, "<@" + words.our_name + ":" + words.away + ">"},
      {"uucp", sender, "<" + far + "!" + user + ">", true},
      {"uucp_ours", sender, "<" + far + "!" + user + "@" + ours + ">", true},
      {"uucp_literal", sender, "<" + far + "!" + user + "@" + literal + ">", true},
  };
  if (iequals(words.our_name, ours)) {
    std::erase_if(tricks, [](const Trick& t) { return t.name == "own_name_sender" || t.name == "source_route_name"; });
  }
  return tricks;
}

}  // namespace sidegate::doctor
