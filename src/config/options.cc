#include "config/options.h"

#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"

namespace sidegate::config {
namespace {

using AliasSettings = alias::Settings;
using deliver::Timeouts;
using dns::ResolverSettings;
using intake::ListenerSettings;
using queue::ScheduleSettings;
using queue::StoreSettings;
using smtp::ServerSettings;
using enum Apply;
using enum Secrecy;

Table global_table() {
  return {
      "",
      false,
      N_("Keys at the top, before the first [block]."),
      {
          {"hostname", Place(&Settings::hostname).checked(check_host_name), "", kAny, kLive, kOpen,
           N_("The name this server gives itself: greeting, EHLO, trace field. Empty: the system's name, fully "
              "qualified where that is known.")},
          {"postmaster", Place(&Settings::deliver, &deliver::DeliverSettings::postmaster).checked(check_mailbox), "",
           kAny, kLive, kOpen,
           N_("Who gets a report that cannot be delivered. Empty: it is kept in the dead-letter store.")},
          {"forward_sender", Place(&Settings::deliver, &deliver::DeliverSettings::forward_sender), "srs", kAny, kLive,
           kOpen,
           N_("The envelope sender of mail that an address here forwards elsewhere. srs: one of srs_domain, through "
              "which bounces find their way back. account: the address of the relay it leaves by; bounces then go "
              "to that account. keep: the old one, which many receivers refuse from us.")},
          {"srs_domain", Place(&Settings::srs_domain).checked(check_host_name), "", kAny, kLive, kOpen,
           N_("The domain of such senders; bounces to it must come here. Empty: hostname.")},
          {"srs_secret", Place(&Settings::srs_secret), "", kAny, kLive, kSecret,
           N_("What such senders are signed with. After a space an old one may follow that is still known. Empty: one "
              "is made once and kept in the queue's directory.")},
          {"srs_secret_file", Place(&Settings::srs_secret_file).checked(check_secret_path), "", kAny, kLive, kOpen,
           N_("A file that holds srs_secret, readable by its owner alone (0600), or by the service's group "
              "(0640).")},
          {"local_domains", Place(&Settings::alias, &AliasSettings::local_domains).checked(check_domain), "", kAny,
           kLive, kOpen,
           N_("Domains whose mail ends here: aliases, users of this machine. Not given: the hostname, also without "
              "its domain, and localhost. []: none, root's mail leaves like any other.")},
          {"alias_files", Place(&Settings::alias, &AliasSettings::alias_files).checked(check_path), "/etc/aliases",
           kAny, kLive, kOpen,
           N_("Aliases as aliases(5) has them, read as they are and again when they change. /etc/aliases may be "
              "missing, others not.")},
          {"virtual_files", Place(&Settings::alias, &AliasSettings::virtual_files).checked(check_path), "", kAny, kLive,
           kOpen,
           N_("Addresses with their domains and where they lead, a line each: \"info@example.org taro\", or "
              "\"@example.org taro\" for all others of a domain. Domains that stand there need not be in "
              "local_domains.")},
          {"forward_files", Place(&Settings::alias, &AliasSettings::forward_files), "true", kAny, kLive, kOpen,
           N_("Whether users say in ~/.forward where their mail goes.")},
          {"recipient_delimiter", Place(&Settings::alias, &AliasSettings::recipient_delimiter).checked(check_delimiter),
           "+", kAny, kLive, kOpen,
           N_("What separates user and tag: mail for taro+shop goes to taro. Several characters: each of them does. "
              "Empty: none.")},
          {"user", Place(&Settings::user).checked(check_unix_user), "sidegate", kAny, kRestart, kOpen,
           N_("The Unix user to become once the ports are bound, when started as root.")},
          {"sandbox", Place(&Settings::sandbox), "true", kAny, kRestart, kOpen,
           N_("The server process keeps only the files and system calls it needs (Landlock, seccomp). false: for "
              "debuggers and preloaded libraries.")},
          {"threads",
           Place(&Settings::threads),
           "0",
           {"0", "1024"},
           kRestart,
           kOpen,
           N_("I/O threads. 0: one per core.")},
          {"max_connections",
           Place(&Settings::admission, &intake::AdmissionLimits::in_all),
           "20000",
           {"0", "1000000"},
           kLive,
           kOpen,
           N_("Clients connected at the same time; the next is answered 421. 0: as many as descriptors allow.")},
          {"max_connections_per_address",
           Place(&Settings::admission, &intake::AdmissionLimits::per_address),
           "50",
           {"0", "1000000"},
           kLive,
           kOpen,
           N_("Of them, from one address (IPv6: from one /64). Who may relay without logging in is not counted. 0: "
              "no limit.")},
          {"control_socket", Place(&Settings::control_socket).checked(check_control_socket), "/run/sidegate/control",
           kAny, kRestart, kOpen,
           N_("The Unix socket on which `sidegate status` and `sidegate queue` reach the server.")},
      }};
}

Table log_table() {
  return {"log",
          false,
          N_("What is written to standard error, and how."),
          {
              {"style", Place(&Settings::log, &LogSettings::style), "json", kAny, kRestart, kOpen,
               N_("json: one object a line. plain: for people. postfix: lines that pflogsumm, fail2ban and "
                  "postfix_exporter read.")},
              {"level", Place(&Settings::log, &LogSettings::level).checked(check_level), "info", kAny, kRestart, kOpen,
               N_("The least important lines to show: debug, info, warning or error.")},
              {"tls", Place(&Settings::log, &LogSettings::tls), "summary", kAny, kLive, kOpen,
               N_("What is said about TLS: none, summary (one line for each connection, in and out), or handshake "
                  "(with the "
                  "certificate, of connections out).")},
              {"connections", Place(&Settings::log, &LogSettings::connections), "all", kAny, kLive, kOpen,
               N_("What is said about clients' sessions: none, summary (one line at the end, with the commands), or "
                  "all (a line at the beginning too, as Postfix has them).")},
          }};
}

Table queue_table() {
  return {"queue",
          false,
          N_("The store on disk, and when messages are tried again."),
          {
              {"path", Place(&Settings::store, &StoreSettings::path).checked(check_path), "/var/lib/sidegate/queue",
               kAny, kRestart, kOpen, N_("The queue's directory. It must be on a disk that keeps what it has synced.")},
              {"memory",
               Place(&Settings::store, &StoreSettings::memory).as_size(),
               "48MiB",
               {"8MiB", "1TiB"},
               kRestart,
               kOpen,
               N_("Memory for the store's write buffers and block cache together.")},
              {"max_wal",
               Place(&Settings::store, &StoreSettings::max_wal).as_size(),
               "64MiB",
               {"4MiB", "4GiB"},
               kRestart,
               kOpen,
               N_("The write-ahead log is kept below this: it is what a start after a crash reads again.")},
              {"min_free_space", Place(&Settings::store, &StoreSettings::min_free_space).as_size(), "256MiB", kAny,
               kRestart, kOpen,
               N_("With less free space on the disk than this, new mail is answered 452 until there is room again.")},
              {"ballast", Place(&Settings::store, &StoreSettings::ballast).as_size(), "64MiB", kAny, kRestart, kOpen,
               N_("Size of a file that is given up when a full disk would keep the store from opening. 0: none.")},
              {"content_cache",
               Place(&Settings::store, &StoreSettings::content_cache).as_size(),
               "32MiB",
               {"0", "1TiB"},
               kRestart,
               kOpen,
               N_("Memory for fresh messages, so that their first attempt needs no read from disk.")},
              {"stall_limit",
               Place(&Settings::store, &StoreSettings::stall_limit),
               "10s",
               {"100ms", "10min"},
               kRestart,
               kOpen,
               N_("A commit that takes longer is answered 451, and the message is not kept.")},
              {"sync", Place(&Settings::store, &StoreSettings::sync), "true", kAny, kRestart, kOpen,
               N_("Wait for the disk before answering 250. false loses acknowledged mail at a power cut: for tests "
                  "alone.")},
              {"retry_first",
               Place(&Settings::schedule, &ScheduleSettings::retry_first),
               "1min",
               {"100ms", "1d"},
               kRestart,
               kOpen,
               N_("How long a deferred message waits for its second attempt.")},
              {"retry_max",
               Place(&Settings::schedule, &ScheduleSettings::retry_max),
               "4h",
               {"100ms", "7d"},
               kRestart,
               kOpen,
               N_("The waiting time doubles with each attempt up to this.")},
              {"lifetime",
               Place(&Settings::schedule, &ScheduleSettings::lifetime),
               "5d",
               {"1s", "60d"},
               kRestart,
               kOpen,
               N_("A message that is still undelivered after this is returned to its sender.")},
              {"delay_report",
               Place(&Settings::schedule, &ScheduleSettings::delay_report),
               "4h",
               {"0", "60d"},
               kRestart,
               kOpen,
               N_("After this the sender is told once that the message is delayed. 0: never.")},
              {"max_queued",
               Place(&Settings::schedule, &ScheduleSettings::max_queued),
               "2000000",
               {"1", "1000000000"},
               kRestart,
               kOpen,
               N_("With this many messages queued, new mail is answered 452.")},
          }};
}

Table dns_table() {
  return {
      "dns",
      false,
      N_("How names are looked up."),
      {
          {"resolv_conf", Place(&Settings::dns, &ResolverSettings::resolv_conf).checked(check_path), "/etc/resolv.conf",
           kAny, kRestart, kOpen, N_("The file that names the system's name servers; it is watched.")},
          {"hosts", Place(&Settings::dns, &ResolverSettings::hosts).checked(check_path), "/etc/hosts", kAny, kRestart,
           kOpen, N_("The file of names that need no server.")},
          {"servers", Place(&Settings::dns, &ResolverSettings::servers).checked(check_dns_server), "", kAny, kRestart,
           kOpen,
           N_("Name servers to ask, with a port where it is not 53: [\"192.0.2.53\", \"127.0.0.1@5353\"]. Empty: those "
              "of resolv_conf.")},
          {"timeout",
           Place(&Settings::dns, &ResolverSettings::timeout),
           "10s",
           {"100ms", "5min"},
           kRestart,
           kOpen,
           N_("How long one lookup may take.")},
          {"keep_last_good",
           Place(&Settings::dns, &ResolverSettings::keep_last_good),
           "1d",
           {"0", "30d"},
           kRestart,
           kOpen,
           N_("When a lookup fails for the moment, the last good answer is used for this long.")},
          {"trust_anchor", Place(&Settings::dns, &ResolverSettings::trust_anchor).checked(check_path),
           "/usr/share/dns/root.key", kAny, kRestart, kOpen,
           N_("The root zone's key, by which DNSSEC is validated here (for DANE), as the package dns-root-data brings "
              "it. "
              "Empty: nothing is validated.")},
      }};
}

Table listener_table() {
  return {
      "listener",
      true,
      N_("A place where mail is taken. Without any, 127.0.0.1:25 and [::1]:25 are."),
      {
          {"name", Place(&ListenerSettings::name).checked(check_block_name), "", kAny, kRestart, kOpen,
           N_("What the log and routing call it. Empty: address and port.")},
          {"address", Place(&ListenerSettings::address).checked(check_listen_address), "127.0.0.1", kAny, kRestart,
           kOpen,
           N_("Numeric address; \"0.0.0.0\" is every IPv4 address, \"::\" every IPv6 one. A path makes a Unix "
              "socket.")},
          {"port", Place(&ListenerSettings::port), "smtp", kAny, kRestart, kOpen,
           N_("Port number, or smtp, submission, submissions.")},
          {"profile", Place(&ListenerSettings::profile), "local", kAny, kLive, kOpen,
           N_("Whom it is for. local: programs of this machine and of listed networks. smtp: other servers bring mail "
              "for recipients here; listed networks may relay. submission, submissions: users, who all must log in, "
              "with STARTTLS or with TLS from the first octet. Not given: local on loopback and for a path; elsewhere "
              "submission on port 587, submissions on 465, else smtp.")},
          {"tls", Place(&ListenerSettings::tls), "none", kAny, kLive, kOpen,
           N_("starttls, implicit (from the first octet) or none. Not given: starttls for smtp and submission, "
              "implicit for submissions, none for local: programs there turn TLS on where it is offered, and then find "
              "that the certificate is not for the name they use. For local, starttls is offered only with a "
              "certificate that verifies.")},
          {"auth", Place(&ListenerSettings::auth), "false", kAny, kLive, kOpen,
           N_("Whether users may log in here, always inside TLS. Not given: true for submission and submissions.")},
          {"networks", Place(&ListenerSettings::networks).checked(check_network), "", kAny, kLive, kOpen,
           N_("Who may relay here without logging in: [\"192.168.1.0/24\", \"fd00::/8\"]. Nobody on submission and "
              "submissions.")},
          {"trust_loopback", Place(&ListenerSettings::trust_loopback), "true", kAny, kLive, kOpen,
           N_("Programs on this machine may relay. Only where profile is local and the listener's own address is "
              "loopback; "
              "elsewhere it is false.")},
          {"add_missing_headers", Place(&ListenerSettings::add_missing_headers), "true", kAny, kLive, kOpen,
           N_("Add Date and Message-ID where who may relay forgot them, From where a user who has logged in did (RFC "
              "6409 section 8), and the domain of addresses in the header that this machine's own programs write "
              "without one (\"From: root\").")},
          {"add_sender", Place(&ListenerSettings::add_sender), "false", kAny, kLive, kOpen,
           N_("Write the user who has logged in into Sender where From names somebody else (RFC 6409 section 8.1).")},
          {"hide_client", Place(&ListenerSettings::hide_client), "true", kAny, kLive, kOpen,
           N_("Leave the address and name of a client that has logged in out of the message's Received field; the log "
              "has them.")},
          {"hostname", Place(&ListenerSettings::smtp, &ServerSettings::hostname).checked(check_host_name), "", kAny,
           kLive, kOpen, N_("The name given here, where it differs from the hostname at the top.")},
          {"max_message_size",
           Place(&ListenerSettings::smtp, &ServerSettings::max_message_size).as_size(),
           "50MiB",
           {"64KiB", "4GiB"},
           kLive,
           kOpen,
           N_("Largest message accepted (SIZE, RFC 1870).")},
          {"max_recipients",
           Place(&ListenerSettings::smtp, &ServerSettings::max_recipients),
           "1000",
           {"100", "100000"},
           kLive,
           kOpen,
           N_("Recipients of one message; for more the client is told to send another copy (452).")},
          {"max_header_size",
           Place(&ListenerSettings::smtp, &ServerSettings::max_header_size).as_size(),
           "256KiB",
           {"4KiB", "256KiB"},
           kLive,
           kOpen,
           N_("Largest header block.")},
          {"max_received",
           Place(&ListenerSettings::smtp, &ServerSettings::max_received),
           "100",
           {"10", "1000"},
           kLive,
           kOpen,
           N_("More Received fields than this are a loop: the message is refused.")},
          {"max_command",
           Place(&ListenerSettings::smtp, &ServerSettings::max_command).as_size(),
           "512",
           {"512", "64KiB"},
           kLive,
           kOpen,
           N_("Longest command line taken, CRLF included (RFC 5321 section 4.5.3.1.4); extensions add to it.")},
          {"refuse_command",
           Place(&ListenerSettings::smtp, &ServerSettings::refuse_command).as_size(),
           "4KiB",
           {"512", "64KiB"},
           kLive,
           kOpen,
           N_("A longer command line, up to this, is answered 500.")},
          {"fatal_command",
           Place(&ListenerSettings::smtp, &ServerSettings::fatal_command).as_size(),
           "64KiB",
           {"1KiB", "1MiB"},
           kLive,
           kOpen,
           N_("A line that has not ended after this closes the connection.")},
          {"max_text_line",
           Place(&ListenerSettings::smtp, &ServerSettings::max_text_line).as_size(),
           "1000",
           {"1000", "64KiB"},
           kLive,
           kOpen,
           N_("Longest line of a message, CRLF included (RFC 5321 section 4.5.3.1.6).")},
          {"long_lines", Place(&ListenerSettings::smtp, &ServerSettings::long_lines), "pass", kAny, kLive, kOpen,
           N_("What becomes of longer lines: pass them on unchanged, or refuse the message. They are never folded.")},
          {"max_long_line",
           Place(&ListenerSettings::smtp, &ServerSettings::max_long_line).as_size(),
           "64KiB",
           {"1000", "64KiB"},
           kLive,
           kOpen,
           N_("Longest line that long_lines = \"pass\" lets through.")},
          {"max_errors",
           Place(&ListenerSettings::smtp, &ServerSettings::max_errors),
           "20",
           {"1", "1000"},
           kLive,
           kOpen,
           N_("After this many refused commands the session ends with 421.")},
          {"max_idle_commands",
           Place(&ListenerSettings::smtp, &ServerSettings::max_idle_commands),
           "100",
           {"1", "100000"},
           kLive,
           kOpen,
           N_("After this many NOOP, RSET, VRFY, HELP or repeated EHLO without mail in between the session ends with "
              "421.")},
          {"idle_timeout",
           Place(&ListenerSettings::smtp, &ServerSettings::idle_timeout),
           "5min",
           {"1s", "1h"},
           kLive,
           kOpen,
           N_("How long a client may be silent between commands (RFC 5321 section 4.5.3.2.7).")},
          {"data_timeout",
           Place(&ListenerSettings::smtp, &ServerSettings::data_timeout),
           "3min",
           {"1s", "1h"},
           kLive,
           kOpen,
           N_("How long a client may be silent within a message.")},
          {"min_data_rate",
           Place(&ListenerSettings::smtp, &ServerSettings::min_data_rate).as_size(),
           "500",
           {"0", "1GiB"},
           kLive,
           kOpen,
           N_("Octets a second that a message must come with; one that falls behind by more than data_timeout is "
              "answered 421. 0: any rate.")},
      }};
}

Option timeout(std::string_view name, Duration Timeouts::* member, std::string_view value, const char* sentence) {
  return {name, Place(&RelayBlock::timeouts, member), value, {"100ms", "1h"}, kLive, kOpen, sentence};
}

Table relay_table() {
  return {
      "relay",
      true,
      N_("A way out: a provider's submission port."),
      {
          {"name", Place(&RelayBlock::name).checked(check_block_name), "", kAny, kLive, kOpen,
           N_("What the log, the queue and routing call it. Empty: its host.")},
          {"host", Place(&RelayBlock::host), "", kAny, kLive, kOpen,
           N_("The provider's server, used as it is (no MX lookup). \"[smtp.example]:587\" and \"smtp.example:465\" "
              "give the port too. With mx or srv: a domain.")},
          {"port", Place(&RelayBlock::port), "submission", kAny, kLive, kOpen,
           N_("Port number, or smtp (25), submission (587), submissions (465). Without it: 465 where tls = "
              "\"implicit\", else 587.")},
          {"tls", Place(&RelayBlock::tls), "starttls", kAny, kLive, kOpen,
           N_("starttls: TLS after the greeting, required. implicit: TLS from the first octet. none: no TLS at all. "
              "opportunistic: where it is offered. "
              "Without it: implicit on port 465, else starttls.")},
          {"tls_verify", Place(&RelayBlock::tls_verify), "true", kAny, kLive, kOpen,
           N_("Demand a certificate that is valid for the host. false: encrypted, but to anyone.")},
          {"tls_ca_file", Place(&RelayBlock::tls_ca_file).checked(check_path), "", kAny, kLive, kOpen,
           N_("CA certificates (PEM) to trust instead of the system's.")},
          {"tls_name", Place(&RelayBlock::tls_name).checked(check_host_name), "", kAny, kLive, kOpen,
           N_("The name that the certificate must carry, where it is not the host's.")},
          {"tls_fingerprints", Place(&RelayBlock::tls_fingerprints).checked(check_fingerprint), "", kAny, kLive, kOpen,
           N_("Trust exactly these certificates, whoever signed them: [\"sha256:...\"].")},
          {"user", Place(&RelayBlock::user), "", kAny, kLive, kOpen, N_("The name to log in with. Empty: no login.")},
          {"password", Place(&RelayBlock::password), "", kAny, kLive, kSecret,
           N_("The password itself. Better: password_file.")},
          {"password_file", Place(&RelayBlock::password_file).checked(check_secret_path), "", kAny, kLive, kOpen,
           N_("A file that holds the password, readable by its owner alone (0600), or by the service's group (0640). "
              "Or "
              "\"credential:NAME\", from systemd (LoadCredential=).")},
          {"mechanisms", Place(&RelayBlock::mechanisms).checked(check_mechanism), "", kAny, kLive, kOpen,
           N_("Login mechanisms to use, of those offered: [\"SCRAM-SHA-256\", \"PLAIN\"]. Empty: all we know, the "
              "strongest first.")},
          {"insecure_auth", Place(&RelayBlock::insecure_auth), "false", kAny, kLive, kOpen,
           N_("Log in without verified TLS. \"challenge\": by mechanisms that do not show the password (CRAM-MD5, "
              "DIGEST-MD5, SCRAM). true: by all. Both can be listened to.")},
          {"eight_bit", Place(&RelayBlock::eight_bit), "pass", kAny, kLive, kOpen,
           N_("An 8-bit message for a relay without 8BITMIME: pass it as it is, convert it, or bounce it.")},
          {"identity", Place(&RelayBlock::identity), "keep", kAny, kLive, kOpen,
           N_("Whom mail that leaves by it is from. keep: the sender as it is. account: the account's address, in the "
              "envelope and in From, for a relay that takes no other; the old From goes to Reply-To (where there is "
              "none) and X-Original-From. allowed: so for senders that are not in the list of that name. Not given: "
              "allowed where there is such a list, else keep.")},
          {"on_sender_refused", Place(&RelayBlock::on_sender_refused), "auto", kAny, kLive, kOpen,
           N_("When the relay refuses a message for whom it is from. account: it is sent once more at once, as the "
              "account (where its address is known). next: by the next way, else it waits. hold: until you let it go. "
              "fail: it is returned. auto: account for senders of this machine (root, cron), which nobody elsewhere "
              "can "
              "answer, next for all others. The log and `sidegate queue show` name the rule to write.")},
          {"sign", Place(&RelayBlock::sign), "true", kAny, kLive, kOpen,
           N_("Whether the keys of [[dkim]] sign mail that leaves by it.")},
          {"allowed", Place(&RelayBlock::allowed).checked(check_allowed), "", kAny, kLive, kOpen,
           N_("What else the account may send as, for identity = \"allowed\": addresses, and whole domains "
              "(\"@example.org\"; \".example.org\" is what lies below it).")},
          {"address", Place(&RelayBlock::address).checked(check_mailbox), "", kAny, kLive, kOpen,
           N_("The account's own mail address. Empty: user, where that is an address.")},
          {"connections",
           Place(&RelayBlock::connections),
           "10",
           {"0", "1000"},
           kLive,
           kOpen,
           N_("Connections to it at the same time. 0: none, its mail is kept until this is raised.")},
          {"messages_per_connection",
           Place(&RelayBlock::messages_per_connection),
           "200",
           {"1", "100000"},
           kLive,
           kOpen,
           N_("Messages that one connection carries before it is closed.")},
          {"messages_per_second", Place(&RelayBlock::messages_per_second), "0", kCount, kLive, kOpen,
           N_("Messages that go out through this account within any second; what is beyond waits, no attempt is "
              "counted. Blocks with the same host and user are one account (without a user: the same host and "
              "port). It is kept over a restart, and counted from when a limit is first set. 0: no limit.")},
          {"messages_per_minute", Place(&RelayBlock::messages_per_minute), "0", kCount, kLive, kOpen,
           N_("The same within any minute.")},
          {"messages_per_hour", Place(&RelayBlock::messages_per_hour), "0", kCount, kLive, kOpen,
           N_("The same within any hour.")},
          {"messages_per_day", Place(&RelayBlock::messages_per_day), "0", kCount, kLive, kOpen,
           N_("The same within any 24 hours.")},
          {"recipients_per_minute", Place(&RelayBlock::recipients_per_minute), "0", kCount, kLive, kOpen,
           N_("Recipients, all messages together, within any minute; a message with more goes in parts. 0: no limit.")},
          {"recipients_per_hour", Place(&RelayBlock::recipients_per_hour), "0", kCount, kLive, kOpen,
           N_("The same within any hour.")},
          {"recipients_per_day", Place(&RelayBlock::recipients_per_day), "0", kCount, kLive, kOpen,
           N_("The same within any 24 hours.")},
          {"when_full", Place(&RelayBlock::when_full), "next", kAny, kLive, kOpen,
           N_("What becomes of mail for which these limits, or what the provider says about its own, leave no room. "
              "next: it goes by the next way out, and waits where there is none. wait: it waits for this one.")},
          {"retry_after",
           Place(&RelayBlock::retry_after),
           "30s",
           {"100ms", "10min"},
           kLive,
           kOpen,
           N_("When the relay as a whole is in trouble (away, or the login fails), nothing is tried for this long; it "
              "doubles up to 10 minutes while the trouble lasts.")},
          timeout("connect_timeout", &Timeouts::connect, "30s", N_("For each address of the host.")),
          timeout("greeting_timeout", &Timeouts::greeting, "5min", N_("For the 220 (RFC 5321 section 4.5.3.2.1).")),
          timeout("helo_timeout", &Timeouts::helo, "5min", N_("For the reply to EHLO.")),
          timeout("starttls_timeout", &Timeouts::starttls, "1min", N_("For STARTTLS and the handshake.")),
          timeout("auth_timeout", &Timeouts::auth, "1min", N_("For each step of AUTH.")),
          timeout("mail_timeout", &Timeouts::mail, "5min", N_("For the reply to MAIL (RFC 5321 section 4.5.3.2.2).")),
          timeout("rcpt_timeout", &Timeouts::rcpt, "5min", N_("For the reply to RCPT (RFC 5321 section 4.5.3.2.3).")),
          timeout("data_init_timeout", &Timeouts::data_init, "2min",
                  N_("For the 354 after DATA (RFC 5321 section 4.5.3.2.4).")),
          timeout("data_block_timeout", &Timeouts::data_block, "3min",
                  N_("For each block of the message (RFC 5321 section 4.5.3.2.5).")),
          timeout(
              "data_done_timeout", &Timeouts::data_done, "10min",
              N_("For the reply after the final dot (RFC 5321 section 4.5.3.2.6). Too short a time makes duplicates.")),
          timeout("quit_timeout", &Timeouts::quit, "5s", N_("For the reply to QUIT.")),
          timeout("idle_timeout", &Timeouts::idle, "30s", N_("A connection without work is closed after this.")),
      }};
}

}  // namespace

Status Place::set(void* block, const Value& value, const Range& range) const {
  void* member = at_(block);
  if (check_ == nullptr) return codec_->set(member, value, range);
  if (codec_ == &codec<std::string>()) {
    std::string text;
    if (auto set = codec_->set(&text, value, range); !set) return set;
    if (auto checked = check_(text); !checked) return checked;
    *static_cast<std::string*>(member) = std::move(text);
    return {};
  }
  std::vector<std::string> list;
  if (auto set = codec_->set(&list, value, range); !set) return set;
  for (std::string& item : list) {
    if (auto checked = check_(item); !checked) return checked;
  }
  *static_cast<std::vector<std::string>*>(member) = std::move(list);
  return {};
}

std::string Table::title() const {
  if (name.empty()) return _("the top level");
  return list ? fmt::format("[[{}]]", name) : fmt::format("[{}]", name);
}

const Option* Table::find(std::string_view key) const {
  for (const Option& option : options) {
    if (option.name == key) return &option;
  }
  return nullptr;
}

Table local_table();   // options_local.cc
Table direct_table();  // options_direct.cc

std::span<const Table> tables() {
  static const std::vector<Table> kTables = [] {
    Table listener = listener_table();
    add_listener_tls_options(listener);
    add_listener_screen_options(listener);
    Table relay = relay_table();
    add_relay_rewrite_options(relay);
    add_relay_place_options(relay);
    std::vector<Table> all{global_table(), log_table(),       queue_table(),  dns_table(),          local_table(),
                           direct_table(), tls_table(),       auth_table(),   users_table(),        user_rule_table(),
                           listener,       blocklist_table(), milter_table(), relay_domain_table(), rewrite_table(),
                           dkim_table(),   reply_table(),     relay,          route_table(),        tls_policy_table(),
                           doctor_table()};
    add_submit_options(all.front());
    add_client_rate_options(all.front());
    return all;
  }();
  return kTables;
}

const Table& table(std::string_view name) {
  for (const Table& t : tables()) {
    if (t.name == name) return t;
  }
  return tables().front();
}

std::string environment_name(const Table& table, const Option& option, std::size_t index) {
  std::string out = "SIDEGATE_";
  if (!table.name.empty()) out += upper(table.name) + "_";
  if (table.list) out += fmt::format("{}_", index);
  return out + upper(option.name);
}

}  // namespace sidegate::config
