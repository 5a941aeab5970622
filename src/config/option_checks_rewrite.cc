// What the texts of [rewrite], [[dkim]], and of a relay's identity, must look like.
#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "config/option_checks.h"
#include "dkim/key.h"
#include "rewrite/rules.h"

namespace sidegate::config {

// "hash:/etc/postfix/generic" as main.cf has it means the text beside the compiled file.
Status check_map_path(std::string& text) {
  const std::size_t colon = text.find(':');
  if (!text.starts_with('/') && colon != std::string::npos) {
    const std::string type = text.substr(0, colon);
    for (std::string_view known : {"hash", "btree", "lmdb", "cdb", "dbm", "texthash"}) {
      if (type == known) {
        text.erase(0, colon + 1);
        return check_path(text);
      }
    }
    return fail(ErrorKind::kBadInput,
                tr("{}: tables of type {} are not read here, files in text form are", quoted(text), quoted(type)));
  }
  return check_path(text);
}

Status check_masquerade_domain(std::string& text) {
  std::string domain = text.starts_with('!') ? text.substr(1) : text;
  if (domain.starts_with('.') || domain.starts_with('@')) domain.erase(0, 1);
  if (Status checked = check_domain(domain); !checked) return checked;
  text = (text.starts_with('!') ? "!" : "") + domain;
  return {};
}

Status check_address_class(std::string& text) {
  if (rewrite::class_of_word(text)) return {};
  const std::vector<std::string_view> words{"envelope_sender", "envelope_recipient", "header_sender",
                                            "header_recipient"};
  std::string what = tr("{} is not one of {}", quoted(text), fmt::format("{}", fmt::join(words, ", ")));
  if (auto near = suggest(lower(text), words); !near.empty()) what += "; " + tr("did you mean {}?", quoted(near));
  return fail(ErrorKind::kBadInput, std::move(what));
}

Status check_dkim_selector(std::string& text) {
  text = lower(text);
  if (dkim::is_selector(text)) return {};
  return fail(ErrorKind::kBadInput,
              tr("{} is no selector: letters, digits and -, in parts with dots between", quoted(text)));
}

Status check_field_name(std::string& text) {
  const bool good = !text.empty() && text.size() <= 77 &&
                    std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != ':' && c != ';'; });
  if (good) return {};
  return fail(ErrorKind::kBadInput, tr("{} is not the name of a header field", quoted(text)));
}

Status check_canonicalization(std::string& text) {
  text = lower(text);
  if (text == "relaxed" || text == "simple") text += text == "relaxed" ? "/relaxed" : "/simple";
  for (std::string_view known : {"relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"}) {
    if (text == known) return {};
  }
  return fail(ErrorKind::kBadInput, tr("{} is not one of {}", quoted(text),
                                       "relaxed/relaxed, relaxed/simple, simple/relaxed, simple/simple"));
}

Status check_allowed(std::string& text) {
  if (text == "*" || text == "*@*" || text == "@*")
    return fail(ErrorKind::kBadInput,
                tr("{} is no address and no domain; if the account may send as anybody, remove allowed, and write {}",
                   quoted(text), "identity = \"keep\""));
  if (text.starts_with("*@")) text.erase(0, 1);
  if (text.starts_with('@') || text.starts_with('.')) {
    std::string domain = text.substr(1);
    if (Status checked = check_domain(domain); !checked) return checked;
    text = text.substr(0, 1) + domain;
    return {};
  }
  if (text.find('@') == std::string::npos)
    return fail(ErrorKind::kBadInput,
                tr("{} is no address; a whole domain is written {}", quoted(text), quoted("@" + text)));
  return check_mailbox(text);
}

}  // namespace sidegate::config
