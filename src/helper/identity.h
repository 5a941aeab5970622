// Who a delivery is for, and becoming them.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>

#include "helper/protocol.h"

namespace sidegate::helper {

struct Person {
  std::string name, home, shell;
  std::string login = {};  // whose groups: `name`, but for root's stand-in
  uid_t uid = 0;
  gid_t gid = 0;
};

// By getpwnam: kNoUser, kUnavailable.
std::expected<Person, Answer> find_person(const std::string& name);
// With whose rights `request` is done: its user, or for root the one who takes root's place. Never uid 0. Where the
// process is not root: its own user or nobody.
std::expected<Person, Answer> identity_for(const Request& request);
// For good: groups, gid, uid, all three of each, verified. group: in place of the person's own (the mail spool's).
std::optional<Answer> become(const Person& person, std::optional<gid_t> group);

Answer answer(Cause cause, std::string text, int code = 0);
Answer system_trouble(std::string doing);  // errno

}  // namespace sidegate::helper
