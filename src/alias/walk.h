// One address being expanded: what expander.h promises, step by step.
#pragma once

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "alias/address.h"
#include "alias/expander.h"

namespace sidegate::alias {

// Names that no Unix system has, or that would be a path where a mailbox is one.
bool may_be_user(const std::string& name);

// What is inherited on the way down from one name to the next.
struct Branch {
  unsigned depth = 0;
  bool rewritten = false;   // some map of ours said where to
  bool from_peer = true;    // the local part is still what the client wrote (a catch-all may have changed its domain)
  std::string as_user;      // whose ~/.forward says so; empty: an alias file
  std::string return_path;  // of the innermost list with an owner
  Place at;                 // the line that led here
  Branch below() const {
    Branch branch = *this;
    ++branch.depth;
    return branch;
  }
};

class Walk {
 public:
  Walk(const Settings& settings, const Tables& tables, Sources& sources, const mail::Recipient& given, bool null_sender)
      : settings_(settings), tables_(tables), sources_(sources), given_(given), null_sender_(null_sender) {}
  Expansion run();

 private:
  // --- an address: virtual map, then local or away
  // What was expanded to its end is not expanded again: all its ends were reached then. (Without this, names that lead
  // to two names each would double the work with every level.)
  void address(const std::string& text, const Branch& branch);
  void look_up(const std::string& text, const Branch& branch);
  void unqualified(const std::string& name, const Branch& branch);
  void virtual_unknown(const std::string& text, const Split& split, const Branch& branch);
  static std::string key_of(const Split& split);
  // True: the map had something to say, and it is done.
  bool look_up_virtual(const std::string& text, const Split& split, const Branch& branch);
  const Entry* virtual_entry(const Split& split, std::string& tag, bool& catch_all) const;
  // "a@x a@x" keeps a catch-all away; "@x @x" gives back a domain that only some lines are about.
  static bool maps_to_itself(const Entry& entry, const Split& split);
  // Met again below itself: as if it stood alone, where it ends somewhere; else it is a loop.
  bool virtual_again(const std::string& text, const Split& split, const Entry& entry, const Branch& branch);
  void to_domain(const Target& target, const Split& split, const Branch& branch);
  // The tag goes with it as long as it stays here; elsewhere nobody need know what it means.
  std::string with_tag(const std::string& target, const std::string& tag) const;

  // --- a name of this machine: alias, user, ~/.forward, mailbox
  void local(const std::string& name, const std::string& text, const Branch& branch);
  void alias(const Entry& entry, const std::string& text, const Branch& branch);
  // Bounces of a list go to who keeps it. RFC 5321 section 3.9: the reverse-path is the list's, but never of a bounce.
  void owner_of(const Entry& entry, const std::string& text, Branch& branch);
  void targets(const std::vector<Target>& list, const std::string& file, unsigned owner, const std::string& text,
               const Branch& branch);
  void include(const std::string& path, unsigned owner, const std::string& text, const Branch& branch);
  // \user
  void mailbox_of(const std::string& name, const Branch& branch);
  std::optional<User> find_user(const std::string& name, const Branch& branch);
  // True: there is one, and it is done.
  bool user(const std::string& name, const std::string& text, const Branch& branch);
  bool user_named(const std::string& name, const std::string& tag, const std::string& text, const Branch& branch);
  bool forward(const User& user, const std::string& tag, const std::string& text, const Branch& branch);
  bool unbelieved(const User& user, const std::string& path, const Error& error, const Branch& branch);
  // RFC 5321 section 4.5.1: postmaster is always there. Our reports come from mailer-daemon: answers to them too.
  bool built_in(const std::string& base, const Branch& branch);

  // --- the ends
  void finish(mail::Destination destination, const std::string& target, const std::string& text, const Branch& branch);
  // RFC 3461 section 5.2.7: an alias passes NOTIFY and ORCPT on, and makes an ORCPT where there was none. A list has a
  // reverse-path of its own: what the sender asked for ends at the list.
  void carry_dsn(mail::Recipient& r) const;
  static StepKind end_of(mail::Destination destination);
  void unknown(const std::string& text, const Branch& branch);
  void loop(const std::string& what, const Branch& branch, const Place& at);
  // tell: false where the problem was already put down.
  void trouble(const Branch& branch, const Place& at, std::string why, bool tell = true);
  void unread(const std::vector<MapFile>& files, const Branch& branch);
  void leads_nowhere();
  void tell_dangling(const std::string& text, const Branch& branch);
  void keep_dangling();
  // RFC 3461 section 5.2.7: who asked to hear of success hears once that it went to several, or to a list.
  void confirm_here();
  // Relayed just as it was given.
  bool stands_as_given() const;

  // --- steps and bounds
  bool on_path(const std::string& mark);  // and remembers how far out it was met
  // False: too deep or too many; told, and deferred.
  bool step(StepKind kind, const Branch& branch, std::string subject, std::string detail = {}, Place at = {});
  static std::string right_side(const std::vector<Target>& list);
  static std::string right_side(const Entry& entry);

  const Settings& settings_;
  const Tables& tables_;
  Sources& sources_;
  const mail::Recipient& given_;
  bool null_sender_;
  Expansion out_;
  std::vector<std::string> path_;                  // what is being expanded just now, outermost first
  std::size_t outermost_met_ = std::string::npos;  // on the path, since the address in hand began
  std::unordered_set<std::string> done_;           // addresses whose ends do not depend on what led to them
  std::unordered_set<std::string> seen_;           // ends reached
  std::unordered_set<std::string> exempt_;         // addresses that the virtual map maps to themselves
  std::vector<std::pair<std::string, Branch>> dangling_;
  bool deferred_ = false, peer_unknown_ = false, loops_ = false;
};

}  // namespace sidegate::alias
