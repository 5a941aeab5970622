// The words of every enum of the settings, and the codec that reads and shows them.
#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "config/settings.h"

namespace sidegate::config {
namespace {

template <typename T>
const Words<T>& words();
template <>
const Words<LogStyleName>& words() {
  static const Words<LogStyleName> kWords = {
      {"json", LogStyleName::kJson}, {"plain", LogStyleName::kPlain}, {"postfix", LogStyleName::kPostfix}};
  return kWords;
}
template <>
const Words<LogTls>& words() {
  static const Words<LogTls> kWords = {
      {"none", LogTls::kNone}, {"summary", LogTls::kSummary}, {"handshake", LogTls::kHandshake}};
  return kWords;
}
template <>
const Words<intake::LogConnections>& words() {
  using intake::LogConnections;
  static const Words<LogConnections> kWords = {
      {"none", LogConnections::kNone}, {"summary", LogConnections::kSummary}, {"all", LogConnections::kAll}};
  return kWords;
}
template <>
const Words<intake::Profile>& words() {
  using intake::Profile;
  static const Words<Profile> kWords = {{"local", Profile::kLocal},
                                        {"smtp", Profile::kSmtp},
                                        {"submission", Profile::kSubmission},
                                        {"submissions", Profile::kSubmissions}};
  return kWords;
}
template <>
const Words<intake::PriorityRule>& words() {
  using enum intake::PriorityRule;
  static const Words<intake::PriorityRule> kWords = {
      {"auto", kAuto}, {"alarm", kAlarm}, {"usual", kUsual}, {"bulk", kBulk}};
  return kWords;
}
template <>
const Words<intake::ForeignSender>& words() {
  using enum intake::ForeignSender;
  static const Words<intake::ForeignSender> kWords = {
      {"auto", kAuto}, {"reject", kReject}, {"rewrite", kRewrite}, {"warn", kWarn}};
  return kWords;
}
template <>
const Words<intake::ListenerTls>& words() {
  using intake::ListenerTls;
  static const Words<ListenerTls> kWords = {
      {"none", ListenerTls::kNone}, {"starttls", ListenerTls::kStartTls}, {"implicit", ListenerTls::kImplicit}};
  return kWords;
}
template <>
const Words<tls::Version>& words() {
  static const Words<tls::Version> kWords = {{"1.2", tls::Version::kTls12}, {"1.3", tls::Version::kTls13}};
  return kWords;
}
template <>
const Words<screen::Action>& words() {
  using screen::Action;
  static const Words<Action> kWords = {{"off", Action::kOff}, {"tag", Action::kTag}, {"reject", Action::kReject}};
  return kWords;
}
template <>
const Words<smtp::LongLines>& words() {
  static const Words<smtp::LongLines> kWords = {{"pass", smtp::LongLines::kPass}, {"refuse", smtp::LongLines::kRefuse}};
  return kWords;
}
template <>
const Words<deliver::TlsMode>& words() {
  using deliver::TlsMode;
  static const Words<TlsMode> kWords = {{"starttls", TlsMode::kStartTls},
                                        {"implicit", TlsMode::kImplicit},
                                        {"none", TlsMode::kNone},
                                        {"opportunistic", TlsMode::kOpportunistic}};
  return kWords;
}
template <>
const Words<deliver::TlsLevel>& words() {
  using enum deliver::TlsLevel;
  // The last two: what it was called before.
  static const Words<deliver::TlsLevel> kWords = {
      {"none", kNone},          {"may", kMay},       {"encrypt", kEncrypt}, {"dane", kDane},
      {"dane-only", kDaneOnly}, {"verify", kVerify}, {"secure", kSecure},   {"opportunistic", kMay},
      {"starttls", kEncrypt}};
  return kWords;
}
template <>
const Words<deliver::WhenFull>& words() {
  using deliver::WhenFull;
  static const Words<WhenFull> kWords = {{"next", WhenFull::kNext}, {"wait", WhenFull::kWait}};
  return kWords;
}
template <>
const Words<deliver::RouteAction>& words() {
  using enum deliver::RouteAction;
  static const Words<deliver::RouteAction> kWords = {{"ways", kWays}, {"discard", kDiscard}, {"hold", kHold},
                                                     {"fail", kFail}, {"local", kLocal},     {"lmtp", kLmtp}};
  return kWords;
}
template <>
const Words<deliver::EightBit>& words() {
  using deliver::EightBit;
  static const Words<EightBit> kWords = {
      {"pass", EightBit::kPass}, {"convert", EightBit::kConvert}, {"bounce", EightBit::kBounce}};
  return kWords;
}
template <>
const Words<deliver::Identity>& words() {
  using deliver::Identity;
  static const Words<Identity> kWords = {
      {"keep", Identity::kKeep}, {"account", Identity::kAccount}, {"allowed", Identity::kAllowed}};
  return kWords;
}
template <>
const Words<deliver::OnSenderRefused>& words() {
  using enum deliver::OnSenderRefused;
  static const Words<deliver::OnSenderRefused> kWords = {
      {"auto", kAuto}, {"account", kAccount}, {"next", kNext}, {"hold", kHold}, {"fail", kFail}};
  return kWords;
}
template <>
const Words<deliver::ForwardSender>& words() {
  using deliver::ForwardSender;
  static const Words<ForwardSender> kWords = {
      {"srs", ForwardSender::kSrs}, {"account", ForwardSender::kAccount}, {"keep", ForwardSender::kKeep}};
  return kWords;
}
template <>
const Words<milter::OnFailure>& words() {
  using enum milter::OnFailure;
  static const Words<milter::OnFailure> kWords = {
      {"tempfail", kTempfail}, {"accept", kAccept}, {"quarantine", kQuarantine}};
  return kWords;
}
template <>
const Words<deliver::MailboxDelivery>& words() {
  using enum deliver::MailboxDelivery;
  static const Words<deliver::MailboxDelivery> kWords = {
      {"mbox", kMbox}, {"maildir", kMaildir}, {"lmtp", kLmtp}, {"command", kCommand}, {"discard", kDiscard}};
  return kWords;
}
template <>
const Words<auth::InsecureAuth>& words() {
  using auth::InsecureAuth;
  static const Words<InsecureAuth> kWords = {
      {"false", InsecureAuth::kNever}, {"challenge", InsecureAuth::kChallenge}, {"true", InsecureAuth::kAll}};
  return kWords;
}

std::string word_text(std::string_view word) {  // true and false are TOML's own
  return word == "true" || word == "false" ? std::string(word) : quoted(word);
}

template <typename T>
std::string all_words() {
  std::string out;
  for (const auto& [word, value] : words<T>()) out += (out.empty() ? "" : " | ") + word_text(word);
  return out;
}

template <typename T>
Status set_enum(void* member, const Value& value, const Range&) {
  if (value.kind != Value::Kind::kString && value.kind != Value::Kind::kBool)
    return bad(tr("must be one of {}, not {}", all_words<T>(), value.kind_name()));
  std::string text = value.kind == Value::Kind::kBool ? (value.boolean ? "true" : "false") : value.string;
  std::vector<std::string_view> names;
  for (const auto& [word, v] : words<T>()) {
    if (word == text) {
      *static_cast<T*>(member) = v;
      return {};
    }
    names.push_back(word);
  }
  std::string_view near = suggest(lower(text), names);
  if (near.empty()) return bad(tr("{} is not one of {}", quoted(text), all_words<T>()));
  return bad(tr("{} is not one of {}: did you mean {}?", quoted(text), all_words<T>(), word_text(near)));
}

template <typename T>
std::string enum_text(const void* member) {
  for (const auto& [word, v] : words<T>()) {
    if (v == *static_cast<const T*>(member)) return word_text(word);
  }
  return "\"\"";
}

}  // namespace

template <typename T>
const Codec& enum_codec() {
  static const Codec kCodec = {"word", set_enum<T>, enum_text<T>, all_words<T>};
  return kCodec;
}
template <>
const Codec& codec<LogStyleName>() {
  return enum_codec<LogStyleName>();
}
template <>
const Codec& codec<intake::LogConnections>() {
  return enum_codec<intake::LogConnections>();
}
template <>
const Codec& codec<intake::Profile>() {
  return enum_codec<intake::Profile>();
}
template <>
const Codec& codec<intake::PriorityRule>() {
  return enum_codec<intake::PriorityRule>();
}
template <>
const Codec& codec<intake::ForeignSender>() {
  return enum_codec<intake::ForeignSender>();
}
template <>
const Codec& codec<intake::ListenerTls>() {
  return enum_codec<intake::ListenerTls>();
}
template <>
const Codec& codec<tls::Version>() {
  return enum_codec<tls::Version>();
}
template <>
const Codec& codec<LogTls>() {
  return enum_codec<LogTls>();
}
template <>
const Codec& codec<screen::Action>() {
  return enum_codec<screen::Action>();
}
template <>
const Codec& codec<smtp::LongLines>() {
  return enum_codec<smtp::LongLines>();
}
template <>
const Codec& codec<deliver::TlsMode>() {
  return enum_codec<deliver::TlsMode>();
}
template <>
const Codec& codec<deliver::MailboxDelivery>() {
  return enum_codec<deliver::MailboxDelivery>();
}
template <>
const Codec& codec<deliver::TlsLevel>() {
  return enum_codec<deliver::TlsLevel>();
}
template <>
const Codec& codec<deliver::WhenFull>() {
  return enum_codec<deliver::WhenFull>();
}
template <>
const Codec& codec<deliver::RouteAction>() {
  return enum_codec<deliver::RouteAction>();
}
template <>
const Codec& codec<deliver::EightBit>() {
  return enum_codec<deliver::EightBit>();
}
template <>
const Codec& codec<deliver::Identity>() {
  return enum_codec<deliver::Identity>();
}
template <>
const Codec& codec<deliver::OnSenderRefused>() {
  return enum_codec<deliver::OnSenderRefused>();
}
template <>
const Codec& codec<deliver::ForwardSender>() {
  return enum_codec<deliver::ForwardSender>();
}
template <>
const Codec& codec<milter::OnFailure>() {
  return enum_codec<milter::OnFailure>();
}
template <>
const Codec& codec<auth::InsecureAuth>() {
  return enum_codec<auth::InsecureAuth>();
}

}  // namespace sidegate::config
