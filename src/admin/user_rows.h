// Users as people's tools see them: JSON objects with stable keys (doc/users.md). Pure, but for what reads and changes
// the store while no server runs.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <string>

#include "admin/protocol.h"
#include "intake/user_accounts.h"

namespace sidegate::admin {

std::string user_json(const intake::UserStanding& standing);
// For `status`; held: messages of suspended users. users: null: none are known.
boost::json::object users_status(const intake::UserAccounts* users, std::uint64_t held);
Result<std::string> user_name(const std::string& given);  // as it is compared
std::string user_end(const std::string& name, bool suspended, bool dry_run, bool offline);

// user.list from the queue on disk.
Result<std::string> list_users_offline(queue::Store& store, const intake::UserSettings& settings, Clock& clock,
                                       const std::function<bool(std::string)>& on_row);
// What user.suspend and user.resume write there.
Result<queue::Note> user_note(queue::Store& store, const Request& request, Clock& clock);

}  // namespace sidegate::admin
