"""Our own count of what a provider allows: what is beyond it goes by the next way. The provider's count: howto_blocks_test.py."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan                   # noqa: E402
from lab.howto import HowTo                               # noqa: E402
from support.server import wait_for                       # noqa: E402

SENDER = plan.TARO.user


class Limits(HowTo):
    def test_our_own_count_goes_by_the_next(self):
        server = self.serve(gate.isp(more="messages_per_day = 2\n") + gate.provider(more='identity = "account"\n'))
        for number in range(5):
            server.send(SENDER, [f"own{number}@plain.example"])
        for number in range(5):
            self.lab.wait_for_mail(f"own{number}@plain.example")
        sent = wait_for(lambda: (found := [e for e in server.events("delivery") if e["status"] == "sent"]) and len(found) == 5 and found, what="the log")
        self.assertEqual(sorted(event["way"] for event in sent), ["isp"] * 2 + ["provider"] * 3)
        self.all_is_well(server)


if __name__ == "__main__":
    become_able()
    unittest.main()
