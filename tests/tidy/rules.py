"""What the tree promises about itself: which room includes which, and what public headers leave out."""

BASE = {"base"}
FIVE = BASE | {"route", "manifest", "store", "observe"}

ENGINE = FIVE | {"catalog", "protocol", "pg", "migrate/nodes"}

# A room includes itself and these, in include/ and in lib/ alike. A name with a slash is a room inside a
# room: a folder of its own, whose outer room has no files. `write`, `read` and `migrate` are siblings:
# none includes another.
ROOMS = {
    "base": set(),
    "route": BASE,
    "manifest": BASE | {"route"},
    "store": BASE,
    "observe": BASE,
    "pg": BASE | {"store", "observe"},
    "protocol": FIVE,
    "catalog": FIVE | {"protocol"},
    "sql": BASE | {"store", "protocol"},
    "authority": FIVE | {"protocol"},
    "write": FIVE | {"catalog", "protocol", "sql", "authority"},
    "read": FIVE | {"catalog", "protocol"},
    # What applications hold. The headers of the outer room are promised; its bodies are in the rooms below.
    "client": FIVE | {"pg", "write", "read"},
    "client/pools": FIVE | {"pg", "client"},
    "client/watch": FIVE | {"pg", "catalog", "protocol", "read", "client", "client/pools"},
    "client/reads": FIVE | {"protocol", "sql", "authority", "read", "client", "client/pools", "client/watch"},
    "client/session": FIVE
    | {"pg", "catalog", "protocol", "sql", "authority", "write", "read"}
    | {"client", "client/pools", "client/watch", "client/reads"},
    # The engine opens its own sessions: it may name the connection settings and the pool.
    "migrate/nodes": FIVE | {"catalog", "protocol", "pg"},
    "migrate/onboard": ENGINE,
    "migrate/preflight": ENGINE | {"migrate/onboard"},
    "migrate/stream": ENGINE,
    "migrate/stream/apply": ENGINE | {"migrate/stream"},
    "migrate/stream/read": ENGINE | {"migrate/stream", "migrate/stream/apply"},
    "migrate/stream/mirror": ENGINE | {"migrate/stream", "migrate/stream/read"},
    "migrate/copy": ENGINE | {"migrate/stream", "migrate/stream/apply", "migrate/stream/read"},
    "migrate/wave": ENGINE,
    "migrate/verify": ENGINE | {"migrate/wave"},
    "migrate/lookup": ENGINE | {"migrate/onboard", "migrate/wave"},
    "migrate/rehearsal": ENGINE | {"migrate/onboard", "migrate/stream", "migrate/stream/apply"},
}
ENGINE_ROOMS = {room for room in ROOMS if room.startswith("migrate/")}
ROOMS["migrate/controller"] = ENGINE | ENGINE_ROOMS
CLIENT_ROOMS = {room for room in ROOMS if room.split("/")[0] == "client"}
ROOMS["testing"] = FIVE | {"catalog", "protocol", "pg", "write", "read"} | ENGINE_ROOMS | CLIENT_ROOMS

# Headers that only their own room includes: they show a library of that room, or are parts of one body.
OWN_HEADERS = (
    r"lib/(pg/(connection|pg_session|translate|wire_reader)|manifest/(checks|convert|rules)|catalog/sha256)"
    r"\.hpp"
)

# Only in the bodies below lib/<room>: the decorators of a session report what they see.
BODY_ROOMS = {"store": {"observe"}}

# Headers at the top of include/shardway, and what the umbrella must not bring.
UMBRELLA = "shardway.hpp"
NOT_IN_UMBRELLA = (
    "shardway/migrate/",
    "shardway/testing/",
    "shardway/pg/interop.hpp",
    "shardway/client/pqxx_transaction.hpp",
)

# Libraries that no public header may include, apart from these doors.
OUTSIDERS = (
    r"(pqxx(/|>)|google/protobuf/|absl/|spdlog/|fmt/|libpq|postgres_ext\.h|openssl/|nlohmann/|prometheus/"
    r"|xxhash\.h|gtest/|gmock/)"
)
DOORS = {
    "include/shardway/pg/interop.hpp": r"pqxx(/|>)",
    "include/shardway/client/pqxx_transaction.hpp": r"pqxx(/|>)",
    "include/shardway/route/hash.hpp": r"xxhash\.h",
}

# Libraries that only these rooms' bodies may include.
BODY_OUTSIDERS = {
    r"pqxx(/|>)": {"pg", "client"},
    r"libpq": {"pg", "testing"},
    r"google/protobuf/": {"manifest"},
    r"spdlog/": {"observe"},
    r"prometheus/": {"observe"},
    r"xxhash\.h": set(),
}

# Words that say a thing is not done, and paths of one machine.
BANNED_TEXT = r"\b(TODO|FIXME|XXX|HACK|WIP)\b|/home/[a-z]|(?<![\w.])/root/"

# Keys are compared as text: only this file makes text of a column (AP2, AP9).
KEY_TEXT_FILE = "lib/protocol/key_text.cpp"
KEY_TEXT = r'quoted\w*\((?:[^()]|\([^()]*\))*\)\s*\)?\s*(?:\+|,|\.append\()\s*"::text\b(?!\[)'

# One word, one meaning. The words in code marks in this page's columns "not" are refused in identifiers of
# include/ and lib/, alone or as a part of one (`bucket_count`). Comments and texts are free.
GLOSSARY_PAGE = "docs/GLOSSARY.md"
# No variable, parameter or field has such a name. Functions may (`rows::at`).
NOT_VARIABLES = ("at", "in", "on", "of", "to", "from")
FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 70

# Codes that comments and tests cite, and where each kind is defined. Other pages' codes have another form:
# M001 (a manifest's finding) has three digits, SW001 (an SQLSTATE) two letters that are none of these.
FAILURE_PAGE = "docs/FAILURES.md"
FAILURE_CODE = r"(?:(?:CP|[EFKMPRSVWX])[1-9][0-9]?|A[A-Z][1-9][0-9]?[a-c]?)"
INVARIANT_PAGE = "docs/INVARIANTS.md"
INVARIANT_CODE = r"I[1-9][0-9]?"
CODE_PAGES = (FAILURE_PAGE, INVARIANT_PAGE)
# The last list of FAILURES.md: no code may cite these.
NOT_HANDLED = "## Known and not handled yet"
# Settings that the column of tests mentions: they are no cases.
SETTINGS_IN_TESTS = ("synchronous_commit",)
