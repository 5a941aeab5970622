#include "provider/presets.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::provider {
namespace {

using enum UserForm;

// The Thunderbird ISPDB at commit c6ad79659b5f; "ISPDB" below.
constexpr std::string_view kIspdb = "Thunderbird ISPDB", kIspdbDate = "2026-03-12";
constexpr std::string_view kRead = "2026-11-21", kReadLater = "2026-11-22";

const std::vector<Preset>& table() {
  static const std::vector<Preset> kPresets = {
      // ISPDB ispdb/aol.com.xml
      {.id = "aol",
       .title = "AOL Mail",
       .host = "smtp.aol.com",
       .ports = {465},
       .senders = Senders::kOwnOnly,
       .note = "an app password is needed",
       .source = kIspdb,
       .date = kIspdbDate},
      // http://asahi-net.jp/support/guide/mail/0600.html: 587 there has no TLS at all
      {.id = "asahi-net",
       .title = "ASAHI Net",
       .aliases = "asahinet",
       .host = "mail.asahi-net.or.jp",
       .ports = {465},
       .user_form = kOwn,
       .note = "the user name is the ASAHI Net ID; port 587 has no TLS",
       .source = "http://asahi-net.jp/support/guide/mail/0600.html",
       .date = kRead},
      // https://au.com/support/service/internet/security/anti-spam/submission-port: msa.<the address's domain>; for a
      // customer's own domain msa-org.dion.ne.jp (server = "msa-org.dion.ne.jp")
      {.id = "au-one-net",
       .title = "au one net, DION",
       .aliases = "auone auonenet au dion kddi",
       .host = "msa.{domain}",
       .user_form = kUnknown,
       .note = "for a domain of your own write host = \"msa-org.dion.ne.jp\"",
       .source = "https://au.com/support/service/internet/security/anti-spam/submission-port",
       .date = kRead},
      // ISPDB ispdb/biglobe.ne.jp.xml
      {.id = "biglobe",
       .title = "BIGLOBE",
       .host = "mail.biglobe.ne.jp",
       .ports = {465},
       .source = kIspdb,
       .date = kIspdbDate},
      // http://eonet.jp/option/mail/smtp/ confirms port 587 with AUTH, and not the server's name
      {.id = "eo",
       .title = "eo (Optage)",
       .aliases = "eonet k-opticom optage",
       .needs = "host",
       .ports = {587, 465},
       .user_form = kUnknown,
       .note = "the server's name stands in the papers of your contract",
       .source = "http://eonet.jp/option/mail/smtp/",
       .date = kRead},
      // ISPDB ispdb/messagingengine.com.xml
      {.id = "fastmail",
       .title = "Fastmail",
       .host = "smtp.fastmail.com",
       .note = "an app password is needed",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/gandi.net.xml
      {.id = "gandi", .title = "Gandi Mail", .host = "mail.gandi.net", .source = kIspdb, .date = kIspdbDate},
      // ISPDB ispdb/googlemail.com.xml has 465; 587 and the limit: https://developer.nylas.com/docs/cookbook/email/
      // gmail-smtp-settings/. Another sender is replaced by Gmail, not refused.
      {.id = "gmail",
       .title = "Gmail",
       .aliases = "google googlemail workspace",
       .host = "smtp.gmail.com",
       .per_day = 500,
       .note = "an app password is needed (two-step verification on); a sender that is not the "
               "account's is replaced by it",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/gmx.net.xml, ispdb/gmx.com.xml
      {.id = "gmx", .title = "GMX", .host = "mail.gmx.net", .source = kIspdb, .date = kIspdbDate},
      {.id = "gmx-com",
       .title = "GMX (international)",
       .aliases = "gmx.com",
       .host = "mail.gmx.com",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/goo.jp.xml: 587 without TLS
      {.id = "goo",
       .title = "goo Mail Advance",
       .host = "smtp.mail.goo.ne.jp",
       .ports = {587},
       .user_form = kLocalPart,
       .domain = "goo.jp",
       .note = "the source has no TLS there: without it, the login needs tls = \"none\" and insecure_auth",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/me.com.xml
      {.id = "icloud",
       .title = "iCloud Mail",
       .aliases = "apple me mac",
       .host = "smtp.mail.me.com",
       .ports = {587},
       .senders = Senders::kOwnOnly,
       .note = "an app-specific password is needed",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/dd.iij4u.or.jp.xml, ispdb/iijmio-mail.jp.xml
      {.id = "iij4u",
       .title = "IIJ4U",
       .aliases = "iij",
       .host = "mbox.iij4u.or.jp",
       .ports = {587},
       .user_form = kDotted,
       .source = kIspdb,
       .date = kIspdbDate},
      {.id = "iijmio",
       .title = "IIJmio",
       .host = "mbox.iijmio-mail.jp",
       .ports = {587},
       .user_form = kDotted,
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/1und1.de.xml
      {.id = "ionos",
       .title = "IONOS (1&1)",
       .aliases = "1und1",
       .host = "smtp.1und1.de",
       .source = kIspdb,
       .date = kIspdbDate},
      // https://kb.umbhost.net/email-smtp/sending-email-via-mailgun-smtp/: 25, 465, 587, 2525; the EU's host:
      // https://smtptester.org/guides/mailgun-smtp-test/
      {.id = "mailgun",
       .title = "Mailgun",
       .host = "smtp.{region}mailgun.org",
       .ports = {465, 587, 2525},
       .note = "the password is the domain's SMTP password, not the API key; region = \"eu\" for domains there",
       .source = "https://smtptester.org/guides/mailgun-smtp-test/",
       .date = kReadLater},
      // ISPDB ispdb/office365.com.xml
      {.id = "microsoft365",
       .title = "Microsoft 365",
       .aliases = "office365 m365 exchange-online o365",
       .host = "smtp.office365.com",
       .ports = {587},
       .senders = Senders::kOwnOnly,
       .note = "SMTP AUTH must be switched on for the mailbox; where Microsoft takes OAuth alone a password is refused "
               "(535 5.7.139)",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/mopera.net.xml
      {.id = "mopera",
       .title = "mopera U (NTT docomo)",
       .host = "mail.mopera.net",
       .user_form = kLocalPart,
       .domain = "mopera.net",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/nifty.com.xml: 587 without TLS and CRAM-MD5 (old)
      {.id = "nifty",
       .title = "@nifty",
       .host = "smtp.nifty.com",
       .user_form = kLocalPart,
       .domain = "nifty.com",
       .note = "the source is old and has 587 without TLS, with CRAM-MD5: if 465 does not answer, ask @nifty",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/ocn.ne.jp.xml has 465; 587 with STARTTLS: https://www.lsmodena.com/wordpress/?p=42
      {.id = "ocn", .title = "OCN", .host = "smtp.ocn.ne.jp", .source = kIspdb, .date = kIspdbDate},
      // https://help.onamae.com/answer/9537: the certificate does not carry the customer's domain; 587 has no TLS
      {.id = "onamae",
       .title = "Onamae.com rental mail",
       .host = "smtp.{domain}",
       .ports = {465},
       .note = "the certificate is not for your domain: give its name in tls_name, or pin it with tls_fingerprints",
       .source = "https://help.onamae.com/answer/9537",
       .date = kRead},
      // ISPDB ispdb/hotmail.com.xml
      {.id = "outlook",
       .title = "Outlook.com, Hotmail",
       .aliases = "hotmail live msn",
       .host = "smtp-mail.outlook.com",
       .ports = {587},
       .senders = Senders::kOwnOnly,
       .note = "Microsoft takes OAuth alone there by now",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/ovh.net.xml
      {.id = "ovh", .title = "OVH", .host = "ssl0.ovh.net", .ports = {465}, .source = kIspdb, .date = kIspdbDate},
      // https://gadget-s.info/140: 465; since 2006 port 587 with AUTH
      {.id = "plala",
       .title = "Plala",
       .host = "secure.plala.or.jp",
       .source = "https://gadget-s.info/140",
       .date = kRead},
      // ISPDB ispdb/posteo.de.xml
      {.id = "posteo", .title = "Posteo", .host = "posteo.de", .source = kIspdb, .date = kIspdbDate},
      // ISPDB ispdb/emailsrvr.com.xml
      {.id = "rackspace",
       .title = "Rackspace Email",
       .host = "secure.emailsrvr.com",
       .ports = {465},
       .source = kIspdb,
       .date = kIspdbDate},
      // https://kirishima.it/mt/2013/11/shuriken_530_570_authenticatio.html: the customer's initial domain, 587, AUTH;
      // repeated failures block the address
      {.id = "sakura",
       .title = "Sakura Internet (rental server)",
       .aliases = "sakura-internet",
       .host = "{server}",
       .needs = "server",
       .server_domain = "sakura.ne.jp",
       .ports = {587, 465},
       .note = "server is your initial domain: server = \"INITIAL.sakura.ne.jp\"; repeated wrong passwords block your "
               "address for a while",
       .source = "https://kirishima.it/mt/2013/11/shuriken_530_570_authenticatio.html",
       .date = kRead},
      // https://docs.sendgrid.com/for-developers/sending-email/integrating-with-the-smtp-api
      {.id = "sendgrid",
       .title = "SendGrid",
       .host = "smtp.sendgrid.net",
       .ports = {465, 587, 2525},
       .user_form = kFixed,
       .user = "apikey",
       .messages_per_connection = 100,
       .note = "the user is the word apikey, the password the API key",
       .source = "https://docs.sendgrid.com/for-developers/sending-email/integrating-with-the-smtp-api",
       .date = kReadLater},
      // https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html: STARTTLS 25, 587, 2587; TLS 465, 2465
      {.id = "ses",
       .title = "Amazon SES",
       .aliases = "amazon aws amazon-ses aws-ses",
       .host = "email-smtp.{region}.amazonaws.com",
       .needs = "region",
       .ports = {465, 587, 2587},
       .user_form = kOwn,
       .note = "user and password are SMTP credentials made in the SES console, no mail address and no AWS access key; "
               "senders must be verified there",
       .source = "https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html",
       .date = kReadLater},
      // No source for the server's name; that 587 with AUTH is there: So-net's OP25B page of 2006-07-03
      {.id = "so-net",
       .title = "So-net",
       .aliases = "sonet",
       .needs = "host",
       .ports = {587, 465},
       .user_form = kUnknown,
       .note = "the server's name stands in the papers of your contract",
       .source = "http://www.so-net.ne.jp/option/mail/op25b/ (archived 2006-07-03)",
       .date = kReadLater},
      // ISPDB ispdb/i.softbank.jp.xml
      {.id = "softbank",
       .title = "SoftBank",
       .host = "smtp.softbank.jp",
       .ports = {465},
       .user_form = kLocalPart,
       .domain = "i.softbank.jp",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/t-online.de.xml
      {.id = "t-online", .title = "T-Online", .host = "securesmtp.t-online.de", .source = kIspdb, .date = kIspdbDate},
      // ISPDB ispdb/web.de.xml
      {.id = "web.de",
       .title = "WEB.DE",
       .aliases = "webde",
       .host = "smtp.web.de",
       .user_form = kLocalPart,
       .domain = "web.de",
       .source = kIspdb,
       .date = kIspdbDate},
      // https://threedplus.co.jp/2025/05/26/ (mail client settings): 587 STARTTLS, 465 TLS, user is the address
      {.id = "xserver",
       .title = "Xserver (rental server)",
       .host = "{server}",
       .needs = "server",
       .server_domain = "xserver.jp",
       .note = "server is named in the welcome mail: server = \"sv1234\"",
       .source = "https://threedplus.co.jp/2025/05/26/",
       .date = kRead},
      // ISPDB ispdb/yahoo.com.xml
      {.id = "yahoo",
       .title = "Yahoo! Mail",
       .aliases = "yahoo.com ymail",
       .host = "smtp.mail.yahoo.com",
       .ports = {465},
       .senders = Senders::kOwnOnly,
       .note = "an app password is needed",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/yahoo.co.jp.xml
      {.id = "yahoo-jp",
       .title = "Yahoo! JAPAN Mail",
       .aliases = "yahoo.co.jp yahoojp yahoo_jp",
       .host = "smtp.mail.yahoo.co.jp",
       .ports = {465},
       .user_form = kLocalPart,
       .domain = "yahoo.co.jp",
       .senders = Senders::kOwnOnly,
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/yandex.ru.xml
      {.id = "yandex",
       .title = "Yandex Mail",
       .host = "smtp.yandex.com",
       .ports = {465},
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/ybb.ne.jp.xml
      {.id = "ybb",
       .title = "Yahoo! BB",
       .host = "ybbsmtp.mail.yahoo.co.jp",
       .ports = {465},
       .user_form = kLocalPart,
       .domain = "ybb.ne.jp",
       .source = kIspdb,
       .date = kIspdbDate},
      // ISPDB ispdb/zoho.com.xml, ispdb/zoho.eu.xml, ispdb/zoho.jp.xml, ispdb/zoho.in.xml, ispdb/zoho.com.au.xml
      {.id = "zoho",
       .title = "Zoho Mail",
       .host = "smtp.zoho.{region}",
       .region = "com",
       .note = "region is the end of your data centre's name: \"com\", \"eu\", \"jp\", \"in\", \"com.au\"",
       .source = kIspdb,
       .date = kIspdbDate},
  };
  return kPresets;
}

void fill(std::string& text, std::string_view name, std::string_view value) {
  const auto at = text.find(name);
  if (at != std::string::npos) text.replace(at, name.size(), value);
}

}  // namespace

std::span<const Preset> presets() {
  return table();
}

const Preset* find_preset(std::string_view name) {
  const std::string wanted = lower(name);
  for (const Preset& preset : table()) {
    if (preset.id == wanted) return &preset;
    for (std::string_view alias : split(preset.aliases, ' ')) {
      if (!alias.empty() && alias == wanted) return &preset;
    }
  }
  return nullptr;
}

std::string preset_host(const Preset& preset, std::string_view server, std::string_view region,
                        std::string_view domain) {
  std::string host(preset.host), own(server), where(region.empty() ? preset.region : region);
  if (!own.empty() && own.find('.') == std::string::npos && !preset.server_domain.empty())
    own += "." + std::string(preset.server_domain);
  // Mailgun's own region has no part in the name.
  if (preset.id == "mailgun") where = where.empty() || where == "us" ? "" : where + ".";
  fill(host, "{server}", own);
  fill(host, "{region}", where);
  fill(host, "{domain}", domain);
  return host;
}

}  // namespace sidegate::provider
