# SPDX-License-Identifier: MIT
"""The database of examples/cards (--db): what survives a restart, also after kill -9.

A client that knows its position resumes: it misses nothing, gets nothing twice, and an action that
it repeats is done once. A change that the database refuses is not published.
"""
import ctypes
import os
import resource
import signal
import sqlite3
import subprocess
import tempfile
import threading

from cards import PATIENCE, Cards, Tap, environment, program
from echo import Gone

KEPT = 1000
SESSION = "/api/chat/ws/room"


def at(path, position, client=None):
    query = f"?epoch={position[0]}&offset={position[1]}"
    return path + query + (f"&client={client}" if client else "")


def position(cards):
    board = cards.ask("GET", "/api/cards")[1]
    return board["epoch"], board["offset"]


def create(cards, title, column="plan"):
    return cards.ask("POST", "/api/cards", {"title": title, "column_id": column})[1]


def rename(cards, card, title):
    return cards.ask("PATCH", f"/api/cards/{card}", {"title": title})[0]


def act(peer, action, text):
    """Returns the data of the answer, and the chat messages that came before it."""
    peer.say("action", id=action, name="chat", text=text)
    messages = []
    while (message := peer.message())["type"] == "chat_message":
        messages.append(message)
    return message["data"], messages


def kill(cards):
    cards.signal(signal.SIGKILL)
    cards.wait()


def edit(file, *statements):
    """Changes the file while no server runs. Returns the rows of the last statement."""
    db = sqlite3.connect(file)
    rows = [db.execute(statement).fetchall() for statement in statements][-1]
    db.commit()
    db.close()
    return rows


# ----------------------------------------------------------------------------- restarts


def missed(cards, path, position_):
    """Returns the first message that a client has missed; None: it is not recovered."""
    with cards.peer(at(path, (position_["epoch"], position_["offset"]))) as peer:
        return peer.message() if peer.hello()["recovered"] else None


def restart(t, folder, name, end):
    file = f"{folder}/{name}.db"
    with Cards("--demo", "--db", file) as cards:
        first = position(cards)
        with cards.peer(SESSION + "?client=a") as peer, cards.peer("/api/chat/ws/quiet") as quiet:
            quiet_at = quiet.hello()
            room_at = peer.hello()
            act(peer, "a-1", "hello")
            cards.ask("DELETE", f"/api/cards/{create(cards, 'last')['id']}")
            rename(cards, "1", "first")
            before = cards.ask("GET", "/api/cards")[1]
            said = cards.ask("GET", f"/api/cards/poll?epoch={first[0]}&offset={first[1]}")[1]
        end(cards)
    with Cards("--demo", "--db", file) as cards:
        t.equal(cards.ask("GET", "/api/cards")[1], before, f"cards_survive_{name}")
        poll = cards.ask("GET", f"/api/cards/poll?epoch={first[0]}&offset={first[1]}")[1]
        t.equal(poll, said, f"messages_survive_{name}")
        t.equal(create(cards, "new")["id"], "9", f"id_is_not_used_again_after_{name}")
        message = missed(cards, "/ws/cards", before)
        t.ok(message and message["offset"] == before["offset"] + 1 and
             message["data"]["title"] == "new", f"offsets_go_on_after_{name}", message)
        message = missed(cards, SESSION, room_at)
        t.ok(message and message["offset"] == 1 and message["data"]["text"] == "hello",
             f"chat_survives_{name}", message)
        with cards.peer(at("/api/chat/ws/quiet", (quiet_at["epoch"], 0))) as peer:
            t.equal(peer.hello(), {**quiet_at, "recovered": True},
                    f"quiet_chat_keeps_its_position_over_{name}")
    t.equal((cards.status, cards.errors), (0, ""), f"server_ends_clean_after_{name}")


def restarts(t, folder):
    restart(t, folder, "sigterm", Cards.end)
    restart(t, folder, "sigkill", kill)
    with Cards() as cards:
        create(cards, "x")
        epoch = position(cards)[0]
    with Cards() as cards:
        t.ok(position(cards)[0] != epoch and cards.ask("GET", "/api/cards")[1]["cards"] == [],
             "without_a_database_a_restart_begins_anew")


def runs(t, folder):
    file = f"{folder}/runs.db"
    with Cards("--db", file) as cards:
        create(cards, "x")
        with cards.peer("/api/execution/ws/1") as peer:
            peer.hello()
            cards.ask("POST", "/api/cards/1/run")
            heard = [peer.message() for _ in range(3)]
            kill(cards)
    edit(file, "UPDATE cards SET percent = 90")  # it need not take so long
    with Cards("--db", file) as cards:
        with cards.peer(at("/api/execution/ws/1", (heard[-1]["epoch"], heard[-1]["offset"]))) as peer:
            if not t.ok(peer.hello()["recovered"], "run_is_recovered"):
                return
            while heard[-1]["data"]["status"] == "running":
                heard.append(peer.message())
    t.equal([(one["offset"], one["data"]["percent"]) for one in heard],
            [(1, 0), (2, 5), (3, 10), (4, 95), (5, 100)], "run_goes_on_after_kill_-9")


# ------------------------------------------------------------------- kill -9 in a stream


class Writer(threading.Thread):
    """Makes cards, until the server is gone."""

    def __init__(self, cards, turn):
        super().__init__(daemon=True)
        self.cards, self.turn, self.done = cards, turn, []
        self.start()

    def run(self):
        try:
            while len(self.done) < 1000:
                card = create(self.cards, f"t{self.turn}.{len(self.done)}")
                self.cards.ask("DELETE", f"/api/cards/{card['id']}")
                self.done.append(card["title"])
        except (OSError, Exception) as error:  # pylint: disable=broad-except
            self.end = error


class Chat:
    """A client that sends actions, and repeats those without an answer."""

    def __init__(self):
        self.n, self.at, self.unanswered, self.heard, self.results = 0, None, [], [], []
        self.faults = []

    def connect(self, cards):
        path = at(SESSION, self.at, "chat") if self.at else SESSION + "?client=chat"
        self.peer = cards.peer(path)
        epoch = self.peer.message()["data"]["action_epoch"]
        joined = self.peer.message()["data"]
        if self.at and not joined["recovered"]:
            raise RuntimeError(f"the chat is not recovered: {joined}")
        self.at = self.at or (joined["epoch"], joined["offset"])
        for n in self.unanswered:
            self.send(n)
        return epoch

    def send(self, n):
        self.peer.say("action", id=f"chat-{n}", name="chat", text=str(n))

    def step(self):
        message = self.peer.message()
        if message["type"] == "ack":
            n = int(message["data"]["id"].split("-")[1])
            self.unanswered.remove(n)
            self.results.append((n, message["data"]["result"]))
        elif message["type"] == "chat_message":
            if (message["epoch"], message["offset"]) != (self.at[0], self.at[1] + 1):
                self.faults.append(f"behind {self.at} came {message}")
            self.at = message["epoch"], message["offset"]
            self.heard.append(int(message["data"]["text"]))
        else:
            self.faults.append(str(message))

    def talk(self, count):
        """Sends actions, up to eight without an answer, until so many are answered or it is cut."""
        enough = len(self.results) + count
        try:
            while len(self.results) < enough:
                while len(self.unanswered) < 8:
                    self.n += 1
                    self.unanswered.append(self.n)
                    self.send(self.n)
                self.step()
        except Gone:
            pass

    def settle(self):
        while self.unanswered or len(self.heard) < self.n:
            self.step()


def streams(t, folder):
    file, chat, written, titles, epochs = f"{folder}/stream.db", Chat(), [], [], []
    seen = None
    for turn in range(4):
        with Cards("--db", file) as cards:
            seen = seen or position(cards)
            epochs.append(chat.connect(cards))
            with cards.peer(at("/ws/cards", seen)) as board:
                if not board.hello()["recovered"]:
                    raise RuntimeError("the board is not recovered")
                writer = Writer(cards, turn)
                timer = threading.Thread(target=lambda: chat.talk(100), daemon=True)
                timer.start()
                for _ in range(40):
                    message = board.message()
                    if (message["epoch"], message["offset"]) != (seen[0], seen[1] + 1):
                        chat.faults.append(f"behind {seen} came {message}")
                    seen = message["epoch"], message["offset"]
                    titles += [message["data"]["title"]] * (message["type"] == "card_created")
                kill(cards)
                timer.join(PATIENCE)
                writer.join(PATIENCE)
                written += writer.done
    with Cards("--db", file) as cards:
        chat.connect(cards)
        chat.settle()
        final = position(cards)
        with cards.peer(at("/ws/cards", seen)) as board:
            board.hello()
            while seen[1] < final[1]:
                message = board.message()
                seen = message["epoch"], message["offset"]
                titles += [message["data"]["title"]] * (message["type"] == "card_created")
        t.ok(board.socket.fileno() == -1 and len(written) > 40, "changes_were_acknowledged")
        t.ok(set(written) <= set(titles), "every_acknowledged_change_is_heard",
             set(written) - set(titles))
        t.equal(len(titles), len(set(titles)), "no_change_is_heard_twice")
        chat.peer.end()
    t.none(chat.faults, "every_position_is_recovered_and_nothing_is_left_out")
    t.equal(sorted(chat.heard), list(range(1, chat.n + 1)), "every_action_is_done_once")
    t.equal(len(set(epochs)), 1, "epoch_of_actions_stays")
    results = {result for _, result in chat.results}
    t.ok(results <= {"done", "repeated"}, "no_action_is_in_doubt", results)


# --------------------------------------------------------------------------- actions


def actions(t, folder):
    file = f"{folder}/actions.db"
    for name, flags in [("database", ["--db", file]), ("memory", [])]:
        with Cards(*flags) as cards:
            with cards.peer(SESSION + "?client=a") as peer:
                epoch = peer.message()["data"]["action_epoch"]
                peer.message()
                for n in (1, 2):
                    act(peer, f"a-{n}", "x")
            kill(cards)
        with Cards(*flags) as cards, cards.peer(SESSION + "?client=a") as peer:
            kept = peer.message()["data"]["action_epoch"] == epoch
            peer.message()
            answer, messages = act(peer, "a-2", "x")
            t.equal((kept, answer["result"], messages),
                    (True, "repeated", []) if flags else (False, "in_doubt", []),
                    f"action_repeated_over_a_restart_with_its_ids_in_{name}")
            n = answer.get("next", 3)
            t.equal(act(peer, f"a-{n}", "y")[0]["result"], "done", f"next_action_with_{name}_is_new")
            if flags:
                kill(cards)
    # Another subject may have the same client instance.
    edit(file, "UPDATE actions SET subject = 'other'")
    with Cards("--db", file) as cards, cards.peer(SESSION + "?client=a") as peer:
        peer.hello()
        t.equal(act(peer, "a-3", "z")[0]["result"], "done", "action_of_another_subject_is_another")
    edit(file, "UPDATE actions SET n = n + 100000")
    with Cards("--db", file) as cards, cards.peer(SESSION + "?client=b") as peer:
        peer.hello()
        t.equal([act(peer, f"b-{n}", "z")[0]["result"] for n in (7, 71)], ["in_doubt", "done"],
                "action_of_an_instance_that_may_be_forgotten_is_in_doubt")
    rows = edit(file, "SELECT instance, highest FROM actions ORDER BY n")
    t.equal(rows, [("a", 3), ("a", 3), ("b", 71)], "highest_number_of_each_instance_is_stored")


# ---------------------------------------------------------------------------- bounds


def bounds(t, folder):
    file = f"{folder}/bounds.db"
    with Cards("--db", file) as cards:
        epoch = position(cards)[0]
        create(cards, "x")
    # As after KEPT + 9 changes.
    edit(file, f"""WITH RECURSIVE i(n) AS (SELECT 2 UNION SELECT n + 1 FROM i LIMIT {KEPT + 8})
         INSERT INTO messages (channel, epoch, offset, time, type, data)
         SELECT channel, epoch, i.n, time, type, data FROM i, messages WHERE type IS NOT NULL""")
    with Cards("--db", file) as cards:
        last = KEPT + 10
        rename(cards, "1", "y")
        t.equal(position(cards), (epoch, last), "position_is_that_of_the_last_message")
        for back, recovered in [(KEPT, True), (KEPT + 1, False)]:
            answer = cards.ask("GET",
                               f"/api/cards/poll?epoch={epoch}&offset={last - back}")[1]
            t.equal(answer["recovered"], recovered, f"position_of_{back}_messages_ago")
    t.equal(edit(file, "SELECT count(*), max(offset) FROM messages"), [(KEPT, last)],
            "file_keeps_as_many_messages_as_the_channel")


# ---------------------------------------------------------------------------- refusals


def start(file):
    def without_privileges():  # of root: to write any file
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)

    return subprocess.Popen(program() + ["--port", "0", "--no-tokens", "--db", file],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=environment(None), preexec_fn=without_privileges)


def refused(process):
    """Returns the exit status and the messages of a server that does not start."""
    if process.stdout.readline():  # it listens
        process.kill()
    errors = process.communicate()[1]
    return process.returncode, [line for line in errors.splitlines() if "token" not in line]


def bad_files(t, folder):
    good = f"{folder}/good.db"
    with Cards("--db", good) as cards:
        create(cards, "x" * 200)
        for _ in range(50):
            rename(cards, "1", "y" * 200)
    with open(good, "rb") as file:
        content = file.read()

    def make(name, data):
        with open(f"{folder}/{name}", "wb") as file:
            file.write(data)
        return f"{folder}/{name}"

    def copy(name, *statements):
        path = make(name, content)
        edit(path, *statements)
        return path

    readonly = make("readonly.db", content)
    os.chmod(readonly, 0o444)
    for name, file, why in [
            ("is_no_database", make("text.db", b"no database at all\n" * 100), "not a database"),
            ("is_damaged", make("damaged.db", content[:8192] + b"\xff" * (len(content) - 8192)),
             "damaged"),
            ("is_cut", make("cut.db", content[:len(content) // 2]), "malformed"),
            ("is_of_another_program", copy("other.db", "PRAGMA application_id = 7"),
             "another program"),
            ("is_newer", copy("newer.db", "PRAGMA user_version = 2"), "newer version"),
            ("has_a_card_in_no_column", copy("column.db", "UPDATE cards SET column_id = 'x'"),
             "cannot be read"),
            ("cannot_be_written", readonly, "cannot be written"),
            ("is_a_folder", folder, "unable to open")]:
        status, said = refused(start(file))
        t.ok(status == 1 and len(said) == 1 and file in said[0] and why in said[0],
             f"file_that_{name}_is_refused", status, said)
    with open(readonly, "rb") as file:
        t.ok(file.read() == content, "refused_file_is_unchanged")


def in_use(t, folder):
    """A second server waits for the first one, which may be about to end. Yields meanwhile."""
    file = f"{folder}/used.db"
    with Cards("--db", file) as cards:
        create(cards, "x")
        second = start(file)
        yield
        status, said = refused(second)
        t.ok(status == 1 and len(said) == 1 and "locked" in said[0],
             "file_that_another_server_uses_is_refused", status, said)
        t.equal(rename(cards, "1", "y"), 200, "server_that_uses_it_goes_on")


def full_disk(t, folder):
    file = f"{folder}/full.db"
    with Cards("--db", file) as cards:
        create(cards, "x")
        with cards.peer(SESSION + "?client=a") as chat, cards.peer("/ws/cards") as board:
            chat.hello()
            board.hello()
            size = os.path.getsize(file + "-wal")
            resource.prlimit(cards.process.pid, resource.RLIMIT_FSIZE, (size, -1))
            before = cards.ask("GET", "/api/cards")[1]
            status, body, headers = cards.ask("PATCH", "/api/cards/1", {"title": "y"})
            t.equal((status, body, headers["Retry-After"]), (503, {"error": "unavailable"}, "1"),
                    "change_that_cannot_be_stored_is_503")
            for method, path, body in [("POST", "/api/cards", {"title": "z", "column_id": "plan"}),
                                       ("DELETE", "/api/cards/1", None),
                                       ("POST", "/api/cards/1/run", None)]:
                t.equal(cards.ask(method, path, body)[0], 503, f"{method}_{path}_is_503")
            answer = act(chat, "a-1", "full")[0]
            t.equal((answer["code"], answer["retry"], answer["id"]), ("unavailable", True, "a-1"),
                    "action_that_cannot_be_stored_is_unavailable")
            t.equal(cards.ask("GET", "/api/cards")[1], before, "nothing_is_changed")
            t.ok(board.quiet() and chat.quiet(), "nothing_is_published")
            t.equal(cards.ask("GET", "/health")[0], 200, "server_goes_on")
            resource.prlimit(cards.process.pid, resource.RLIMIT_FSIZE, (-1, -1))
            t.equal(act(chat, "a-1", "room")[0]["result"], "done", "same_action_is_done_later")
            t.equal((rename(cards, "1", "y"), board.message()["offset"]), (200, 2),
                    "no_offset_was_used")
            kill(cards)
    said = [line for line in cards.errors.splitlines() if "token" not in line]
    t.ok(len(said) == 2 and "stored again" in said[1], "operator_is_told_once", said)
    with Cards("--db", file) as cards:
        t.equal([card["title"] for card in cards.ask("GET", "/api/cards")[1]["cards"]], ["y"],
                "what_was_refused_is_not_in_the_file")


def lost_power(t, folder):
    """The machine has stopped while the server ran, and the last changes may be missing."""
    file = f"{folder}/power.db"
    with Cards("--db", file) as cards:
        create(cards, "x")
        epoch = position(cards)[0]
        with cards.peer(SESSION + "?client=a") as peer:
            action_epoch = peer.message()["data"]["action_epoch"]
            peer.message()
            act(peer, "a-1", "hello")
        kill(cards)
    edit(file, "UPDATE server SET boot = 'another'")
    with Cards("--db", file) as cards:
        board = cards.ask("GET", "/api/cards")[1]
        t.ok(board["epoch"] != epoch and len(board["cards"]) == 1,
             "board_begins_a_new_epoch_with_its_cards")
        with cards.peer(at("/ws/cards", (epoch, 1))) as peer:
            t.equal(peer.hello()["reason"], "epoch_changed", "client_is_told")
        with cards.peer(SESSION + "?client=a") as peer:
            t.ok(peer.message()["data"]["action_epoch"] != action_epoch,
                 "actions_begin_a_new_epoch")
    t.ok("the machine stopped" in cards.errors, "operator_is_told_that_the_machine_stopped",
         cards.errors)
    edit(file, "SELECT 1")
    t.equal(edit(file, "SELECT boot FROM server"), [("",)], "clean_end_is_stored")


def main():
    t = Tap()
    with tempfile.TemporaryDirectory(prefix="wspool-cards-") as folder:
        waits = in_use(t, folder)
        next(waits)
        for part in (restarts, runs, streams, actions, bounds, bad_files, full_disk, lost_power):
            part(t, folder)
        next(waits, None)
    t.end()


main()
