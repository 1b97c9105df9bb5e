"""Of answers to what fluxctl sent: what counts as another answer, and what goes over the wire."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import replay  # noqa: E402

JOB = {"Result": {"revision": "<c2>", "result": {"a": {"Status": "success", "PerContainer": None}}}, "Err": "", "Dry": False}


def step(body, **more):
    return {"step": "fluxctl x [1]", "status": 200, "headers": {"Content-Type": "application/json"}, "body": body, **more}


def told(body, **more):
    return [path for _, path, *_ in replay.unmeant("here", [step(JOB)], [step(body, **more)], [])]


class Answers(unittest.TestCase):
    def test_the_same_is_no_difference(self):
        self.assertEqual(told(JOB), [])

    def test_each_change_of_shape_is_one(self):
        inner = {"Status": "success", "PerContainer": None}
        for body, path in (({**JOB, "Dry": 0}, "/body/Dry/(type)"),
                           ({"Err": "", "Result": JOB["Result"], "Dry": False}, "/body/(keys)"),
                           ({**JOB, "Result": {**JOB["Result"], "result": {"a": {**inner, "PerContainer": []}}}},
                            "/body/Result/result/a/PerContainer"),
                           ({**JOB, "Result": {**JOB["Result"], "result": {"a": {"Status": "success"}}}},
                            "/body/Result/result/a/PerContainer"),
                           ({**JOB, "More": ""}, "/body/More"),
                           ({**JOB, "Err": "no"}, "/body/Err")):
            with self.subTest(path):
                self.assertIn(path, told(body))

    def test_so_are_status_and_headers(self):
        self.assertEqual(told(JOB, status=201), ["/status"])
        self.assertEqual(told(JOB, headers={"Content-Type": "text/plain"}), ["/headers/Content-Type"])

    def test_workloads_have_no_order(self):
        one, two = {"ID": "a:b/c", "Status": ""}, {"ID": "a:b/d", "Status": ""}
        self.assertEqual(replay.by_id(step([two, one])), replay.by_id(step([one, two])))


class Bytes(unittest.TestCase):
    def test_json_is_compact_and_escaped(self):
        self.assertEqual(replay.go_json({"b": "<all>&é", "a": [None, True]}), '{"b":"\\u003call\\u003e\\u0026é","a":[null,true]}'.encode())

    def test_a_request_is_as_go_writes_it(self):
        headers = {"Accept": "application/json", "User-Agent": "Go-http-client/1.1"}
        self.assertEqual(replay.go_request("POST", "/x", "h:1", headers, b"false"),
                         b"POST /x HTTP/1.1\r\nHost: h:1\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 5\r\n"
                         b"Accept: application/json\r\nAccept-Encoding: gzip\r\n\r\nfalse")
        self.assertNotIn(b"Content-Length", replay.go_request("GET", "/x", "h:1", headers, None))

    def test_json_of_other_bytes_is_told(self):
        world = replay.RawWorld.__new__(replay.RawWorld)
        for text, count in ((b'{"a":1}', 0), (b'{"a": 1}', 1), (b'{"a":"<"}', 1), (b"null\n", 1), (b"oops", 1)):
            world.malformed = []
            world.check_json("GET /x", text)
            self.assertEqual(len(world.malformed), count, text)


class Homes(unittest.TestCase):
    def test_every_recorded_command_has_one_scenario(self):
        places = replay.homes()
        self.assertEqual(sum(len(commands) for commands in places.values()), 62)
        self.assertIn("fluxctl list-images -n demo", places["list-images"])


if __name__ == "__main__":
    unittest.main()
