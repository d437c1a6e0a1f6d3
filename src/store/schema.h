// The shape of the database file: whether it is keel's, whether this version understands it, and
// bringing it up to date. Called by Database::open on the write connection, before any other thread
// sees the database. Not for other rooms.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "store/database.h"

namespace keel::store {

// "keel" in ASCII, in the file's header: tells keel's file from another program's.
inline constexpr std::int64_t application_id = 0x6b65656c;

// Versions of each room are 1, 2, 3 ... in the order given.
Status check_migrations(const std::vector<Migration>& migrations);
// Makes the file (0600) if there is none, and takes other users' access away from one that is
// there.
Status prepare_file(const std::string& path);
// Reads only. Code::corrupt for a damaged file or another program's, Code::unsupported for one of a
// newer keel.
Status check_file(Connection& connection, const std::string& path,
                  const std::vector<Migration>& migrations);
// Each missing migration in a transaction of its own; safe when two processes start at once.
Status migrate(Connection& connection, const std::vector<Migration>& migrations);

}  // namespace keel::store
