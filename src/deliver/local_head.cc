#include "deliver/local_head.h"

#include <ctime>

#include "base/text.h"
#include "deliver/guise.h"
#include "mail/header.h"

namespace sidegate::deliver {
namespace {

constexpr std::size_t kMostValue = 1000;

// An address in a header field or an mbox line: nothing in it may end the line.
std::string one_line(std::string_view text) {
  std::string out(text.substr(0, kMostValue));
  for (char& c : out) {
    if (is_control(c)) c = '?';
  }
  return out;
}

const std::string& given(const mail::Recipient& recipient) {
  return recipient.original.empty() ? recipient.address : recipient.original;
}

}  // namespace

std::string final_fields(const queue::Message& message, const mail::Recipient& recipient) {
  return fmt::format("Return-Path: <{}>\nX-Original-To: {}\nDelivered-To: {}\n",
                     one_line(return_address(message.envelope, recipient)), one_line(given(recipient)),
                     one_line(recipient.address));
}

std::string from_line(const queue::Message& message, const mail::Recipient& recipient, WallTime now) {
  std::string sender = one_line(return_address(message.envelope, recipient));
  if (sender.empty()) sender = "MAILER-DAEMON";
  for (char& c : sender) {
    if (c == ' ') c = '_';
  }
  std::time_t second = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(now));
  std::tm local{};
  localtime_r(&second, &local);
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("From {}  {} {} {:2} {:02}:{:02}:{:02} {}\n", sender, kDays[local.tm_wday], kMonths[local.tm_mon],
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, local.tm_year + 1900);
}

bool went_round(std::string_view header, const mail::Recipient& recipient) {
  bool found = false;
  mail::for_each_field(header, [&](const mail::Field& field) {
    found = iequals(field.name, "Delivered-To") && iequals(trim(field.value), trim(one_line(recipient.address)));
    return !found;
  });
  return found;
}

std::vector<std::pair<std::string, std::string>> command_environment(const queue::Message& message,
                                                                     const mail::Recipient& recipient) {
  std::vector<std::pair<std::string, std::string>> out;
  auto add = [&](const char* name, std::string_view value) { out.emplace_back(name, value.substr(0, kMostValue)); };
  const std::string& address = given(recipient);
  auto at = address.rfind('@');
  std::string_view local = std::string_view(address).substr(0, at);
  std::string_view domain = at == std::string::npos ? std::string_view() : std::string_view(address).substr(at + 1);
  std::string_view sender = return_address(message.envelope, recipient);
  add("SENDER", sender.empty() ? "MAILER-DAEMON" : sender);
  add("RECIPIENT", address);
  add("ORIGINAL_RECIPIENT", address);
  add("LOCAL", local);
  add("DOMAIN", domain);
  // What follows the user's name in "user+extension".
  bool longer = !recipient.target.empty() && recipient.destination == mail::Destination::kMailbox &&
                local.size() > recipient.target.size() + 1 && istarts_with(local, recipient.target);
  add("EXTENSION", longer ? local.substr(recipient.target.size() + 1) : std::string_view());
  add("CLIENT_ADDRESS", message.origin.peer_address);
  add("CLIENT_HELO", message.origin.helo);
  add("CLIENT_PROTOCOL", message.origin.protocol);
  add("SASL_USERNAME", message.origin.user);
  return out;
}

}  // namespace sidegate::deliver
