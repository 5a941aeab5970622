#include "config/autoconfig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidegate::config::autoconfig_test {
namespace {

using intake::ListenerTls;
using intake::Profile;
using ::testing::HasSubstr;
using ::testing::Not;

Settings with(std::initializer_list<intake::ListenerSettings> listeners) {
  Settings settings;
  settings.hostname = "mail.example.org";
  settings.listeners = listeners;
  return settings;
}

intake::ListenerSettings listener(const char* address, std::uint16_t port, Profile profile, ListenerTls tls) {
  intake::ListenerSettings l;
  l.address = address;
  l.port = port;
  l.profile = profile;
  l.tls = tls;
  return l;
}

TEST(Autoconfig, TheUsersPortsWithTlsFirst) {
  const Settings settings = with({listener("0.0.0.0", 25, Profile::kSmtp, ListenerTls::kStartTls),
                                  listener("0.0.0.0", 587, Profile::kSubmission, ListenerTls::kStartTls),
                                  listener("::", 587, Profile::kSubmission, ListenerTls::kStartTls),
                                  listener("0.0.0.0", 465, Profile::kSubmissions, ListenerTls::kImplicit),
                                  listener("127.0.0.1", 10587, Profile::kSubmission, ListenerTls::kStartTls)});
  EXPECT_EQ(autoconfig_records(settings, {"example.org", ""}),
            "_submissions._tcp.example.org. 3600 IN SRV 0 1 465 mail.example.org.\n"
            "_submission._tcp.example.org. 3600 IN SRV 10 1 587 mail.example.org.\n"
            "example.org. 3600 IN MX 10 mail.example.org.\n");
  EXPECT_THAT(autoconfig_records(settings, {"example.org", "imap.example.org"}),
              HasSubstr("_imaps._tcp.example.org. 3600 IN SRV 0 1 993 imap.example.org.\n"));
  const std::string xml = autoconfig_xml(settings, {"example.org", "imap.example.org"});
  EXPECT_THAT(
      xml,
      HasSubstr("<incomingServer type=\"imap\">\n      <hostname>imap.example.org</hostname>\n      <port>993</port>"));
  EXPECT_LT(xml.find("<port>465</port>\n      <socketType>SSL<"),
            xml.find("<port>587</port>\n      <socketType>STARTTLS<"));
  EXPECT_THAT(xml, Not(HasSubstr("10587")));
  EXPECT_THAT(autoconfig_xml(settings, {"example.org", ""}), Not(HasSubstr("incomingServer")));
}

TEST(Autoconfig, NothingForUsersIsNothing) {
  const Settings settings = with({listener("0.0.0.0", 25, Profile::kSmtp, ListenerTls::kStartTls),
                                  listener("127.0.0.1", 25, Profile::kLocal, ListenerTls::kNone)});
  EXPECT_EQ(autoconfig_records(settings, {"example.org", "x"}), "");
  EXPECT_EQ(autoconfig_xml(settings, {"example.org", "x"}), "");
}

}  // namespace
}  // namespace sidegate::config::autoconfig_test
