// For tests of the session: a dialogue as text, played on a ScriptStream.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/run_script.h"
#include "net/script_stream.h"
#include "smtp/recording_receiver.h"
#include "smtp/server_session.h"

namespace sidegate::smtp {

struct Played {
  std::string problem;  // empty: every reply was as written, in order
  std::string written;
  bool closed = false;
};

inline std::shared_ptr<ServerSettings> test_settings() {
  auto settings = std::make_shared<ServerSettings>();
  settings->hostname = "mx.example";
  return settings;
}

// Lines "C: ..." are sent with CRLF, lines "C! ..." as they are (\r, \n, \0 written out), lines "S: ..." are the
// beginning of the next line we write. The greeting is expected first. C lines that follow each other are sent
// together.
inline void script(net::ScriptStream& stream, std::string_view text) {
  std::string pending;
  auto send = [&] {
    if (!pending.empty()) stream.peer_sends(std::exchange(pending, {}));
  };
  stream.expect_line("220 mx.example ESMTP");
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.starts_with("C: ")) {
      pending += std::string(line.substr(3)) + "\r\n";
    } else if (line.starts_with("C! ")) {
      line.remove_prefix(3);
      for (std::size_t i = 0; i < line.size(); ++i) {
        bool escaped = line[i] == '\\' && i + 1 < line.size();
        char c = escaped ? line[++i] : line[i];
        pending += !escaped ? c : c == 'r' ? '\r' : c == 'n' ? '\n' : c == '0' ? '\0' : c;
      }
    } else if (line.starts_with("S: ")) {
      send();
      stream.expect_line(std::string(line.substr(3)));
    }
  }
  send();
}

inline Played play(std::string_view text, RecordingReceiver& receiver,
                   std::shared_ptr<const ServerSettings> settings = test_settings(),
                   std::size_t octets_a_read = 65536) {
  net::ScriptStream stream;
  stream.deliver_at_most(octets_a_read);
  script(stream, text);
  ServerSession session(stream, receiver, std::move(settings), "test");
  net::run_script(session.run());
  return {stream.problem(), stream.written(), stream.closed()};
}

}  // namespace sidegate::smtp
