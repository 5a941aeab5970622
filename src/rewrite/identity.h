// identity = "account" and "allowed": a header as the relay's account sends it. Strict providers take mail only where
// the sender in the envelope and From in the header are the account's own address.
//
//   From        its address becomes the account's, the display name keeps its octets (one with a bare comma gets quotes
//               around it); the original in X-Original-From
//   Reply-To    the old From where there was none, so that an answer still reaches who wrote it; the reverse-path where
//               From names nobody
//   Sender      another one than the account becomes X-Original-Sender (RFC 5322 section 3.6.2: From alone says it)
//   Resent-From, Resent-Sender as From and Sender
//
// Every other field keeps its octets, and what is the account's own already stays as it is: done twice is done once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sidegate::rewrite {

struct Account {
  std::string address;   // "me@isp.example"
  std::string hostname;  // makes a whole address of "root" where an answer is to go there
  // Others that the account may use (rewrite::is_listed): an author or sender among them stays.
  std::vector<std::string> allowed = {};
};

struct RewrittenHeader {
  std::string header;  // the new block; empty where nothing changed
  bool changed = false;
  bool unread = false;            // a From that is no list of addresses: the field was replaced as a whole
  bool breaks_signature = false;  // From changed below a DKIM-Signature, which must have signed it
};

// sender: the reverse-path, which stands in for a From that is missing or names nobody; empty: null.
RewrittenHeader as_account(std::string_view header, std::string_view sender, const Account& account);

// A report that has to leave with a sender of its own, because the relay takes none from <>: as the account, and marked
// so that no report is ever made into such a message twice. The content stays the multipart/report that programs know.
RewrittenHeader as_wrapped_report(std::string_view header, const Account& account);
// The marker in a header, or in the body where a report returns a wrapped one.
bool is_wrapped_report(std::string_view header, std::string_view beginning_of_body, const Account& account);

}  // namespace sidegate::rewrite
