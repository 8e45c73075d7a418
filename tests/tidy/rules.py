"""What the tree promises about itself: which room includes which, and what public headers leave out."""

BASE = {"base"}
FIVE = BASE | {"route", "manifest", "store", "observe"}

# A room includes itself and these. `write`, `read` and `migrate` are siblings: none includes another.
ROOMS = {
    "base": set(),
    "route": BASE,
    "manifest": BASE | {"route"},
    "store": BASE,
    "observe": BASE,
    "pg": BASE | {"store", "observe"},
    "protocol": FIVE,
    "catalog": FIVE | {"protocol"},
    "write": FIVE | {"catalog", "protocol"},
    "read": FIVE | {"catalog", "protocol"},
    # The engine opens its own sessions: it may name the connection settings and the pool.
    "migrate": FIVE | {"catalog", "protocol", "pg"},
    "client": FIVE | {"catalog", "protocol", "pg", "write", "read"},
    "testing": FIVE | {"catalog", "protocol", "pg", "write", "read", "migrate", "client"},
}
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
# One meaning, one word: see docs/ARCHITECTURE.md. Only identifiers of code are looked at, not prose.
BANNED_NAMES = {
    r"\bv?bucket(s|_\w+)?\b": "slot",
    r"\bcutover(s|_\w+)?\b": "wave",
    r"\bcanary(_\w+)?\b": "wave",
    r"\b(new|old)_epoch\b": "epoch_opened, epoch_before",
}

FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 70
