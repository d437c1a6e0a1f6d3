# SQLite from its amalgamation, pinned in deps/deps.lock, as the static library keel_sqlite.
#
# Versions 3.7.0 to 3.51.2 can corrupt a WAL database that two connections write to (fixed in 3.51.3), and keel has a
# daemon and a command line on one database. The system's library is therefore not used; distributions still ship 3.40.

keel_lock(sqlite keel_sqlite)
keel_need_fetched("${keel_sqlite_DIR}" "scripts/deps get sqlite")
file(STRINGS "${keel_sqlite_DIR}/sqlite3.h" keel_sqlite_line REGEX "^#define SQLITE_VERSION +\"")
string(REGEX REPLACE ".*\"([0-9.]+)\".*" "\\1" KEEL_SQLITE_VERSION "${keel_sqlite_line}")
if(KEEL_SQLITE_VERSION VERSION_LESS 3.51.3 OR NOT KEEL_SQLITE_VERSION STREQUAL keel_sqlite_VERSION)
  message(FATAL_ERROR "${keel_sqlite_DIR} holds SQLite '${KEEL_SQLITE_VERSION}', but deps.lock pins "
                      "${keel_sqlite_VERSION} and keel needs at least 3.51.3.\n"
                      "Remove it and run: scripts/deps get sqlite")
endif()

add_library(keel_sqlite STATIC "${keel_sqlite_DIR}/sqlite3.c")
target_include_directories(keel_sqlite SYSTEM PUBLIC "${keel_sqlite_DIR}")
target_compile_definitions(keel_sqlite PRIVATE
  SQLITE_THREADSAFE=2            # each connection belongs to one thread at a time: store/ sees to that
  SQLITE_DQS=0                   # "text" is a name, never a string: a typing error is an error
  SQLITE_DEFAULT_FOREIGN_KEYS=1
  SQLITE_DEFAULT_WAL_SYNCHRONOUS=2  # FULL: what was acknowledged survives a power cut
  SQLITE_DEFAULT_MEMSTATUS=0
  SQLITE_SECURE_DELETE           # what the owner forgets is overwritten, not only unlinked
  SQLITE_OMIT_LOAD_EXTENSION
  SQLITE_OMIT_DEPRECATED
  SQLITE_OMIT_SHARED_CACHE
  SQLITE_LIKE_DOESNT_MATCH_BLOBS
  SQLITE_MAX_EXPR_DEPTH=100
  SQLITE_USE_ALLOCA
  SQLITE_ENABLE_FTS5
  SQLITE_ENABLE_JSON1
  SQLITE_ENABLE_DBSTAT_VTAB
  SQLITE_ENABLE_MATH_FUNCTIONS
  SQLITE_ENABLE_STAT4
  $<$<CONFIG:Debug>:SQLITE_ENABLE_API_ARMOR>)
target_compile_options(keel_sqlite PRIVATE -O2 -w)
find_package(Threads REQUIRED)
set_target_properties(keel_sqlite PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
target_link_libraries(keel_sqlite PUBLIC Threads::Threads m)
