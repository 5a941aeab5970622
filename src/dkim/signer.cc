#include "dkim/signer.h"

#include <algorithm>

#include "base/text.h"
#include "mail/header.h"
#include "mail/idna.h"
#include "rewrite/address_list.h"

namespace sidegate::dkim {
namespace {

constexpr std::size_t kLine = 76;

// Signed once more than there are (RFC 6376 section 8.15): nobody can add another one. The first ones even where a
// message has none; the others only where it has one, for a relay may still add what is missing.
constexpr std::string_view kNeverAdded[] = {"from", "to", "cc", "subject", "reply-to"};
constexpr std::string_view kNotAddedTo[] = {"sender",       "date",         "message-id",
                                            "mime-version", "content-type", "content-transfer-encoding"};

template <std::size_t N>
bool is_one_of(std::string_view name, const std::string_view (&list)[N]) {
  return std::ranges::find(list, name) != std::end(list);
}

std::vector<std::string> names_to_sign(const Signer& signer, std::string_view header) {
  std::vector<std::string> names;
  std::vector<std::string> wanted;
  for (const std::string& name : signer.headers) wanted.push_back(lower(name));
  if (std::ranges::find(wanted, "from") == wanted.end()) wanted.insert(wanted.begin(), "from");  // section 5.4
  for (const std::string& name : wanted) {
    const unsigned count = mail::count_field(header, name);
    for (unsigned n = 0; n < count; ++n) names.push_back(name);
    if (is_one_of(name, kNeverAdded) || (count > 0 && is_one_of(name, kNotAddedTo))) names.push_back(name);
  }
  return names;
}

// Tags one after the other; a line is folded before it grows too long.
class Field {
 public:
  void tag(std::string_view text) {
    if (column_ + 1 + text.size() > kLine) {
      fold();
    } else {
      put(" ");
    }
    put(text);
  }
  // May be folded between its parts.
  void parts(const std::vector<std::string>& all, char between) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::string part = all[i];
      if (i + 1 < all.size()) part += between;
      if (column_ + part.size() > kLine) fold();
      put(part);
    }
  }
  void folded(std::string_view text) {
    while (!text.empty()) {
      if (column_ >= kLine) fold();
      const std::string_view piece = text.substr(0, kLine - column_);
      put(piece);
      text.remove_prefix(piece.size());
    }
  }
  void fold() {
    text_ += "\r\n\t";
    column_ = 8;
  }
  void put(std::string_view text) {
    text_ += text;
    column_ += text.size();
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::size_t column_ = 0;
};

std::string_view tag_of(std::string_view signature, std::string_view name) {
  for (std::string_view tag : split(signature, ';')) {
    const std::size_t equals = tag.find('=');
    if (equals != std::string_view::npos && trim(tag.substr(0, equals)) == name) return trim(tag.substr(equals + 1));
  }
  return {};
}

bool is_signed_by(std::string_view header, std::string_view domain) {
  bool found = false;
  mail::for_each_field(header, [&](const mail::Field& field) {
    if (iequals(trim(field.name), "DKIM-Signature")) found |= iequals(tag_of(field.value, "d"), domain);
    return !found;
  });
  return found;
}

const char* name(Form form) {
  return form == Form::kSimple ? "simple" : "relaxed";
}

}  // namespace

const std::vector<std::string>& usual_headers() {
  static const std::vector<std::string> kNames = {"From",
                                                  "Sender",
                                                  "Reply-To",
                                                  "Subject",
                                                  "Date",
                                                  "Message-ID",
                                                  "To",
                                                  "Cc",
                                                  "In-Reply-To",
                                                  "References",
                                                  "MIME-Version",
                                                  "Content-Type",
                                                  "Content-Transfer-Encoding",
                                                  "List-Id",
                                                  "List-Unsubscribe",
                                                  "List-Unsubscribe-Post",
                                                  "List-Post",
                                                  "List-Help",
                                                  "Resent-From",
                                                  "Resent-To",
                                                  "Resent-Cc",
                                                  "Resent-Date",
                                                  "Resent-Message-ID"};
  return kNames;
}

bool BodyHashes::has(Form form) const {
  return std::ranges::any_of(of(form), [](std::uint8_t octet) { return octet != 0; });
}

bool Signers::uses(Form body_form) const {
  return std::ranges::any_of(signers_, [&](const Signer& signer) { return signer.body_form == body_form; });
}

std::vector<const Signer*> Signers::for_domain(std::string_view domain) const {
  std::vector<const Signer*> found;
  // RFC 6376 section 3.5: d= has A-labels, and so have the keys' domains.
  const auto ascii = mail::to_ascii(domain);
  const std::string_view whole = ascii ? std::string_view(*ascii) : domain;
  for (std::string_view at = whole; found.empty() && !at.empty();) {
    for (const Signer& signer : signers_) {
      if (iequals(signer.domain, at) && (signer.subdomains || at.size() == whole.size())) found.push_back(&signer);
    }
    const std::size_t dot = at.find('.');
    at = dot == std::string_view::npos ? std::string_view() : at.substr(dot + 1);
  }
  return found;
}

std::vector<const Signer*> Signers::for_header(std::string_view header, bool stands) const {
  if (signers_.empty()) return {};
  auto from = rewrite::parse_address_list(mail::field_value(header, "From"));
  if (!from || from->addresses.empty()) return {};
  std::vector<const Signer*> found = for_domain(rewrite::domain_part(from->addresses[0].address));
  if (stands && !found.empty() && is_signed_by(header, found[0]->domain)) return {};
  return found;
}

Result<std::string> signature_field(const Signer& signer, std::string_view header, const BodyHashes& body,
                                    WallTime now) {
  const Hash& hash = body.of(signer.body_form);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::vector<std::string> names = names_to_sign(signer, header);
  Field field;
  field.put("DKIM-Signature:");
  field.tag("v=1;");
  field.tag(fmt::format("a={};", dkim::name(signer.key->algorithm())));
  field.tag(fmt::format("c={}/{};", name(signer.header_form), name(signer.body_form)));
  field.tag(fmt::format("d={};", signer.domain));
  field.tag(fmt::format("s={};", signer.selector));
  field.tag(fmt::format("t={};", seconds));
  field.fold();
  field.put("h=");
  field.parts(names, ':');
  field.put(";");
  field.tag(fmt::format("bh={};", base64({reinterpret_cast<const char*>(hash.data()), hash.size()})));
  field.fold();
  field.put("b=");
  auto signature = signer.key->sign(header_to_sign(header, names, field.text(), signer.header_form));
  if (!signature) return std::unexpected(signature.error());
  field.folded(base64(*signature));
  return field.text() + "\r\n";
}

}  // namespace sidegate::dkim
