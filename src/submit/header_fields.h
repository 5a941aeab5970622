// What `sendmail` does to a header block before it submits it: recipients taken from it (-t), blind copies and foreign
// envelope fields taken out, a From where there is none. Date and Message-ID are the server's to add. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sidegate::submit {

// -t, as Postfix has it: of To, Cc and Bcc; where there is a Resent- field of these, of those alone.
std::vector<std::string> header_recipients(std::string_view block);

struct Author {
  std::string address;    // "alice", "alice@x.example"; empty: the null sender
  std::string full_name;  // may be empty
};

struct Resent {  // what is added to a message that is resent without them (RFC 5322 section 3.6.6)
  std::string date, message_id;
};

bool is_resent(std::string_view block);
bool needs_author(std::string_view block);

// Bcc, Resent-Bcc, Return-Path and Content-Length go; From, or Resent-From with its companions, comes where it is
// missing.
std::string edited_header(std::string_view block, const Author& author, const Resent& resent);

}  // namespace sidegate::submit
