// Every bound of keel in one place: queues, bodies, depths, counts, times. Units are last in the
// name. A room adds its own block here; nothing else in the code may hold a bare bound.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace keel::limits {

using namespace std::chrono_literals;

// base
inline constexpr std::size_t json_depth = 64;
inline constexpr std::size_t json_bytes = 32u << 20;

// rt
inline constexpr std::size_t frame_bytes = 32u << 20;  // one message between keel's own processes

// log
inline constexpr std::size_t log_file_bytes = 8u << 20;
inline constexpr std::size_t log_files = 4;  // rotated files beside the current one
inline constexpr std::size_t log_line_bytes = 8u << 10;
inline constexpr std::size_t log_room_bytes = 32;
inline constexpr std::size_t log_secret_bytes = 6;  // shorter ones would redact ordinary words

// config
inline constexpr std::size_t config_bytes = 1u << 20;
inline constexpr std::size_t config_line_bytes =
    8u << 10;  // bounds the depth of a.b.c, which is walked recursively
inline constexpr std::size_t secret_bytes = 16u << 10;
inline constexpr std::size_t config_name_bytes = 64;  // of a model or the agent
inline constexpr std::size_t config_text_bytes = 4096;
inline constexpr std::int64_t config_context_min = 256;
inline constexpr std::int64_t config_context_max = 16 << 20;
inline constexpr int config_threads_max = 1024;
inline constexpr double config_price_max_usd = 1e6;

// store
inline constexpr std::size_t store_queue = 1024;  // writes that wait; further callers wait for room
inline constexpr std::size_t store_batch = 64;    // writes in one commit
inline constexpr std::size_t store_statements = 256;  // prepared statements kept by a connection
inline constexpr int store_readers = 16;
inline constexpr auto store_busy_wait = 5s;     // for another process that holds the database
inline constexpr auto store_reader_wait = 30s;  // for a free reading connection
inline constexpr int store_checkpoint_pages =
    1000;  // of the write-ahead log, before it is written back
inline constexpr int store_wal_bytes = 32 << 20;  // the log file is cut to this after a checkpoint
inline constexpr int store_value_bytes = 64 << 20;  // one text or blob
inline constexpr std::size_t store_quick_check_bytes =
    16u << 20;  // larger files are not checked when opened

// model/cloud
inline constexpr int cloud_attempts = 4;  // of one request, while nothing of an answer has come
inline constexpr auto cloud_retry_wait = 500ms;  // doubled at each attempt
inline constexpr auto cloud_retry_wait_max = 8s;
inline constexpr auto cloud_server_wait = 60s;           // that a server may ask for
inline constexpr auto cloud_first_byte_time = 10min;     // a long prompt is read before the first
inline constexpr auto cloud_idle_time = 2min;            // between two pieces of an answer
inline constexpr std::size_t cloud_affinity_bytes = 24;  // of a conversation's hash

// model/kernel
inline constexpr std::size_t bandwidth_bytes = 256u << 20;  // read to measure the memory

// model/ledger
inline constexpr std::uintmax_t kv_folder_bytes = 4ull << 30;  // of evaluated conversations on disk
inline constexpr std::size_t kv_looked_at = 8;       // other conversations a new one may begin like
inline constexpr std::size_t kv_waiting = 4;         // saves that wait to be written
inline constexpr std::size_t kv_states = 32;         // of a recurrent model in one file
inline constexpr std::size_t draft_tokens = 7;       // proposed at once
inline constexpr std::size_t draft_characters = 96;  // that a grammar leaves no choice about
inline constexpr std::size_t draft_places = 8;  // earlier places looked at for one group of tokens

// model/budget
inline constexpr std::size_t machine_file_bytes = 1u << 20;  // of the system's own files
// left to everything else on the machine: so much of its memory, within these bounds
inline constexpr std::int64_t budget_reserve_percent = 5;
inline constexpr std::int64_t budget_reserve_min_bytes = 256 << 20;
inline constexpr std::int64_t budget_reserve_max_bytes = std::int64_t{2} << 30;
inline constexpr int budget_context_least = 2048;  // tokens; a context is not shrunk below it
inline constexpr int budget_batch_least = 128;
// tokens; before a context gets smaller than this its keys and values are kept in 8 bits
inline constexpr int budget_context_whole = 8192;
inline constexpr std::int64_t device_slack_bytes = std::int64_t{1} << 30;  // over what is measured
inline constexpr std::int64_t device_margin_bytes = 512 << 20;             // of a card, for others
inline constexpr std::int64_t working_set_margin_bytes = std::int64_t{2} << 30;  // of a Mac's
// iogpu.wired_limit_mb: never proposed up to the first, and so much stays free for the system
inline constexpr std::int64_t wired_ram_min_bytes = std::int64_t{16} << 30;
inline constexpr std::int64_t wired_kept_free_bytes = std::int64_t{8} << 30;
inline constexpr std::int64_t wired_kept_free_percent = 15;
inline constexpr std::int64_t wired_margin_bytes = std::int64_t{2} << 30;  // over what is needed

// model/local
inline constexpr std::uint32_t gguf_version_max = 3;
inline constexpr std::uint64_t gguf_tensors = 1u << 18;
inline constexpr std::uint64_t gguf_keys = 1u << 16;
inline constexpr std::uint64_t gguf_key_bytes = 64u << 10;
inline constexpr std::uint64_t gguf_string_bytes = 16u << 20;  // a chat template is the longest
inline constexpr std::uint64_t gguf_array_items = 1u
                                                  << 25;  // a vocabulary with its scores and merges
inline constexpr std::uint64_t gguf_tensor_name_bytes = 63;  // GGML_MAX_NAME less its end
inline constexpr std::uint64_t gguf_head_bytes = 1u << 30;   // everything before the tensor data
inline constexpr std::uint64_t gguf_alignment_max = 1u << 20;
inline constexpr int engine_context_default =
    16384;  // tokens, where the model and the memory allow
inline constexpr int engine_context_min = 256;
// not halved further by itself, however large the cache
inline constexpr int engine_context_kept = 4096;
inline constexpr std::int64_t engine_cache_bytes =
    512 << 20;                                   // of a context size that nobody asked for
inline constexpr int engine_threads = 16;        // chosen by itself; more must be asked for
inline constexpr int engine_batch_tokens = 512;  // read at once
inline constexpr int engine_reply_reserve =
    256;  // tokens of the context that a prompt must leave free
inline constexpr std::size_t engine_queue = 64;       // requests that wait in the child
inline constexpr std::size_t model_waiting = 64;      // requests that wait for a model to be free
inline constexpr std::size_t engine_checkpoints = 8;  // of a conversation with a recurrent model
inline constexpr std::size_t engine_parked =
    8;  // conversations kept in memory beside the current one
inline constexpr std::int64_t engine_parked_bytes = 512 << 20;
inline constexpr std::size_t engine_problem_bytes = 4096;  // of llama.cpp's complaints, kept
inline constexpr std::size_t needs_kept = 32;              // dry runs kept in needs.json
inline constexpr std::size_t needs_bytes = 1u << 20;       // of that file
inline constexpr auto engine_silence = 180s;  // without a sign of life the child is taken for hung
inline constexpr auto engine_cancel_wait = 3s;  // for the child to obey before it is killed
inline constexpr auto engine_quit_wait = 2s;
inline constexpr int engine_batch_max = 8192;  // tokens read at once, whatever was measured
inline constexpr std::size_t guard_stand_ins =
    4096;  // different special texts and private characters in one prompt
inline constexpr std::size_t tools = 256;
inline constexpr std::size_t tool_schema_bytes = 64u << 10;
inline constexpr int tool_schema_depth = 24;
inline constexpr int tool_schema_repetition = 1000;
inline constexpr std::size_t tool_grammar_bytes = 256u << 10;  // of one tool
inline constexpr auto cpu_choice_time = 3s;                    // for all CPU libraries together
inline constexpr auto cpu_probe_time = 1500ms;                 // for one
inline constexpr auto gpu_probe_time = 20s;  // for one; the first use of a driver compiles much
inline constexpr double cpu_probe_error =
    5e-4;  // normalised mean square error against exact arithmetic
inline constexpr double attention_error = 1e-5;  // of keel's kernel, relative to the largest value

inline constexpr double tune_turn_read = 300.0;  // tokens of the turn that settings are weighed by
inline constexpr double tune_turn_write = 100.0;
inline constexpr std::array<std::int64_t, 5> bench_depths = {0, 2048, 4096, 8192, 16384};
inline constexpr std::int64_t bench_read = 256;  // tokens timed at each depth
inline constexpr std::int64_t bench_write = 32;

// model/shelf
// What an engine takes beside the weights and the cache of a model that is not measured yet.
inline constexpr std::uint64_t shelf_engine_bytes = 500'000'000;
inline constexpr std::size_t shelf_file_name_bytes = 128;
inline constexpr std::uint64_t shelf_file_bytes = 1ull
                                                  << 41;  // of a model file; larger is an error
inline constexpr std::uint64_t shelf_piece_min_bytes = 1u << 20;  // asked for at once
inline constexpr std::uint64_t shelf_piece_bytes = 64u << 20;
inline constexpr int shelf_connections = 4;  // used by itself
inline constexpr int shelf_connections_max = 16;
inline constexpr int shelf_attempts = 6;      // in a row that bring nothing, before it is given up
inline constexpr int shelf_versions = 3;      // a file that changes more often during a pull
inline constexpr auto shelf_retry_wait = 1s;  // doubled at each attempt
inline constexpr auto shelf_retry_wait_max = 20s;
inline constexpr auto shelf_server_wait = 60s;     // that a server may ask for
inline constexpr auto shelf_stall_time = 30s;      // without a byte: asked for again
inline constexpr auto shelf_checkpoint_time = 2s;  // what a kill may cost of what has arrived
inline constexpr auto shelf_progress_time = 200ms;
inline constexpr std::size_t shelf_state_bytes = 1u << 20;           // of the record beside a file
inline constexpr std::size_t shelf_spans = 4096;                     // missing pieces in it
inline constexpr std::uint64_t shelf_disk_kept_bytes = 200'000'000;  // left free beside the file

// msg
inline constexpr std::size_t error_shown_bytes = 300;      // of an answer that is no JSON
inline constexpr std::size_t sse_event_bytes = 16u << 20;  // one event of a model's stream
inline constexpr std::size_t stream_bytes = 64u << 20;     // of one answer's text and arguments
inline constexpr std::size_t stream_blocks = 1024;         // of one answer
inline constexpr std::size_t chat_stops = 4;               // stop sequences of one request
inline constexpr std::size_t request_messages = 100'000;   // of one conversation
// What the words for effort mean in tokens to think.
inline constexpr std::int64_t think_minimal_tokens = 512;
inline constexpr std::int64_t think_low_tokens = 1024;
inline constexpr std::int64_t think_medium_tokens = 4096;
inline constexpr std::int64_t think_high_tokens = 16384;
inline constexpr std::int64_t think_xhigh_tokens = 32768;
inline constexpr std::int64_t think_max_tokens = 65536;
inline constexpr std::int64_t claude_think_least_tokens = 1024;  // of a budget

// agent
inline constexpr std::size_t message_bytes = 1u << 20;  // one message of the owner
inline constexpr int turn_steps = 12;                   // model calls in one turn
inline constexpr int turn_tool_calls = 24;
inline constexpr int turn_call_tokens = 1024;  // written in one model call
inline constexpr auto turn_time = 10min;
inline constexpr int turn_repeats = 3;   // the same tool call, arguments and all, in one turn
inline constexpr int turn_attempts = 3;  // starts of one turn that died with the process
inline constexpr std::size_t conversation_name_bytes = 128;
inline constexpr std::size_t external_id_bytes = 256;
inline constexpr int recall_pages = 4;                       // put before the model by themselves
inline constexpr std::size_t recall_page_bytes = 600;        // of each of them
inline constexpr std::size_t tool_result_bytes = 48u << 10;  // of one result, as the model sees it
inline constexpr std::size_t tool_result_cut_bytes =
    512;                                      // a result is not cut below this to fit the context
inline constexpr double compact_above = 0.6;  // of the context, from which on a summary is made
inline constexpr double compact_keep = 0.25;  // of the conversation, its newest turns stay as is
inline constexpr int summary_tokens = 320;    // that the model may write for one
inline constexpr std::size_t summary_bytes = 4096;
inline constexpr std::size_t summary_said_bytes = 240;  // of each of the owner's messages
inline constexpr std::size_t compactions_waiting = 16;
inline constexpr std::size_t known_urls = 512;  // of one conversation that tools may fetch
inline constexpr std::size_t known_url_bytes = 2048;
inline constexpr std::size_t tool_summary_bytes = 120;  // of a result, in the event

// model (script)
inline constexpr std::size_t script_bytes = 4u << 20;
inline constexpr std::size_t script_lines = 10000;
inline constexpr std::size_t script_conversations = 64;  // whose last prompt is kept for counting
inline constexpr int script_delay_ms = 600000;

// ui
inline constexpr std::size_t markdown_bytes = 1u << 20;      // shown as Markdown; more is cut
inline constexpr std::size_t typed_ahead_bytes = 64u << 10;  // keys pressed while an answer streams
inline constexpr std::size_t history_lines = 1000;
inline constexpr std::size_t history_bytes = 4u << 20;

// gateway
inline constexpr std::size_t gateway_clients =
    32;  // connections to the daemon's socket; more are refused
inline constexpr std::size_t gateway_client_frames =
    4096;  // waiting for one client; one that is slower is dropped
inline constexpr std::size_t gateway_client_bytes = 16u << 20;  // of those frames together
inline constexpr std::size_t request_bytes =
    8u << 20;                             // one request of a client, JSON escapes included
inline constexpr auto drain_time = 10s;   // from the signal to the end of the daemon
inline constexpr auto drain_grace = 5s;   // of that, for turns to end by themselves
inline constexpr auto connect_wait = 2s;  // for the daemon's greeting

inline constexpr auto daemon_ready_wait = 180s;  // of keel chat, for a daemon that is starting

// gateway/api
inline constexpr std::size_t token_min_bytes = 32;
inline constexpr std::size_t token_max_bytes = 512;
inline constexpr std::size_t token_guesses = 10;  // different wrong tokens of one address ...
inline constexpr auto token_guess_time = 60s;     // ... within this time
inline constexpr std::size_t token_guess_addresses = 1024;  // remembered
inline constexpr auto ping_time = 5s;         // of silence in a stream, before a sign of life
inline constexpr auto answer_head_time = 1s;  // after that a stream begins without knowing more
inline constexpr int answer_default_tokens = 4096;  // where a client sets no bound

// memory
inline constexpr std::size_t memory_body_bytes = 1u << 20;  // one page
inline constexpr std::size_t memory_title_bytes = 200;      // longer ones are shortened
inline constexpr std::size_t memory_tags = 64;              // of one page
inline constexpr std::size_t memory_tag_bytes = 64;
inline constexpr std::size_t memory_quote_bytes = 4096;     // of the turn a page came from
inline constexpr std::size_t memory_reference_bytes = 128;  // id of a turn or session
inline constexpr std::size_t memory_segment_bytes = 1200;   // what is ranked and shown as one piece
inline constexpr std::size_t memory_word_bytes = 64;        // longer words are cut
inline constexpr std::size_t memory_query_bytes =
    64u << 10;  // read of a query: half at its start, half at its end
inline constexpr std::size_t memory_query_terms = 32;  // different literal terms of a query
inline constexpr std::size_t memory_term_forms = 8;    // irregular forms and aliases of one term
inline constexpr std::size_t memory_query_kept_bytes = 4096;  // of a query, in the audit
inline constexpr int memory_hits = 100;                       // of one retrieval
inline constexpr std::size_t memory_held_back = 10;  // hits that are recorded but not returned
inline constexpr int memory_list = 10'000;           // pages in one listing
inline constexpr std::size_t memory_identity_bytes = 4096;
inline constexpr std::size_t memory_turn_pages = 3;  // made from one turn by rules
inline constexpr std::size_t memory_sentence_bytes =
    400;  // a longer sentence is not a statement to keep

// net
inline constexpr std::size_t url_bytes = 2048;
inline constexpr std::size_t urls_in_text = 500;  // addresses picked out of one text
inline constexpr std::size_t host_bytes = 253;
inline constexpr std::size_t host_label_bytes = 63;
inline constexpr int fetch_redirects = 5;
inline constexpr auto fetch_time = 30s;  // one fetch, redirects included
inline constexpr auto fetch_connect_time = 8s;
// under fetch_stall_bytes a second for that long: given up
inline constexpr auto fetch_stall_time = 10s;
inline constexpr long fetch_stall_bytes = 64;
inline constexpr std::size_t fetch_body_bytes = 10u << 20;    // decoded; what is beyond is cut off
inline constexpr std::size_t fetch_header_bytes = 64u << 10;  // of one answer
// decoded to received bytes, a bomb beyond it
inline constexpr std::size_t fetch_ratio = 200;
// decoded bytes before the ratio counts
inline constexpr std::size_t fetch_ratio_free_bytes = 1u << 20;
inline constexpr long download_buffer_bytes = 256 << 10;  // handed on at once
// kept of what comes with a status other than 2xx
inline constexpr std::size_t download_error_bytes = 4u << 10;
inline constexpr std::size_t net_idle_transfers = 16;  // kept with their connections, of a kind
inline constexpr auto service_connect_time = 8s;
inline constexpr auto service_first_byte_time = 60s;  // from the whole request to the answer's head
inline constexpr auto service_idle_time = 60s;        // between two pieces of an answer
inline constexpr std::size_t service_request_bytes = 64u << 20;
inline constexpr std::size_t service_answer_bytes = 32u << 20;  // of an answer that is not streamed
inline constexpr std::size_t service_error_bytes = 64u << 10;   // kept of a body that is no success
inline constexpr std::size_t service_header_bytes = 16u << 10;  // of one value that is sent

// net/http
inline constexpr std::size_t http_connections = 4096;       // beyond them those that ask give way
inline constexpr std::size_t http_other_descriptors = 512;  // of the process, beside connections
inline constexpr int http_backlog = 512;
inline constexpr std::size_t http_head_bytes = 64u << 10;     // of a request
inline constexpr std::size_t http_read_bytes = 64u << 10;     // at once
inline constexpr std::size_t http_body_bytes = 32u << 20;     // of one request
inline constexpr std::size_t http_bodies_bytes = 256u << 20;  // of all requests in work
inline constexpr auto http_head_time = 10s;   // from the first byte of a request to its last header
inline constexpr auto http_idle_time = 75s;   // of a connection between two requests
inline constexpr auto http_stall_time = 30s;  // without a byte of a body, or taken of an answer
inline constexpr auto http_body_time = 300s;  // for a whole body to arrive
inline constexpr auto http_linger_time = 2s;  // for a client to take a last answer and leave
inline constexpr std::size_t http_linger_bytes = 1u << 20;  // of what it still sends by then
inline constexpr std::size_t http_workers = 256;            // handlers at once
inline constexpr std::size_t http_waiting = 256;            // requests that wait for one
inline constexpr auto http_worker_idle_time = 10s;
inline constexpr std::size_t http_stream_bytes = 1u << 20;  // of one answer that wait to be sent

// tool
inline constexpr std::size_t tool_arguments_bytes = 256u << 10;
// of any tool, before the turn cuts it
inline constexpr std::size_t tool_outcome_bytes = 64u << 10;
inline constexpr int schema_depth = 32;
inline constexpr std::size_t html_bytes = 4u << 20;           // of one page, read; more is cut
inline constexpr std::size_t html_memory_bytes = 192u << 20;  // of the parser, for one page
inline constexpr auto html_time = 2s;                         // of the parser, for one page
inline constexpr std::size_t html_nodes = 500'000;
// elements below that are read as plain text
inline constexpr int html_depth = 200;
inline constexpr std::size_t html_markdown_bytes = 256u << 10;
inline constexpr std::size_t html_table_rows = 500;
inline constexpr std::size_t html_table_columns = 40;
inline constexpr std::size_t web_text_bytes = 12u << 10;  // of a page, shown to the model
inline constexpr std::size_t calculator_bytes = 1000;
inline constexpr int calculator_depth = 60;
inline constexpr std::size_t folder_entries = 200;           // in one listing
inline constexpr std::size_t file_default_bytes = 8u << 10;  // of a file, shown at once
// the most that can be asked for at once
inline constexpr std::size_t file_shown_bytes = 32u << 10;
inline constexpr std::size_t file_path_bytes = 4096;
inline constexpr std::size_t remember_bytes = 4096;
inline constexpr std::size_t remember_quote_bytes = 600;
inline constexpr int recall_tool_pages = 5;
inline constexpr std::size_t recall_tool_body_bytes = 1200;  // of one page

// app
inline constexpr std::uint64_t doctor_disk_warn_bytes = 1'000'000'000;
inline constexpr std::uint64_t doctor_disk_fail_bytes = 50'000'000;

// memory: what else a page carries, and its index
inline constexpr std::size_t memory_gist_bytes = 1000;
inline constexpr std::size_t memory_uri_bytes = 2048;  // where a page came from
inline constexpr std::size_t memory_aliases = 32;      // other names of one page
inline constexpr std::size_t memory_lang_bytes = 35;
inline constexpr std::size_t memory_extra_bytes = 32u << 10;  // keys that keel does not know, JSON
inline constexpr int memory_importance = 3;                   // the highest
inline constexpr std::size_t memory_changes = 10'000;         // in one listing
inline constexpr std::size_t memory_waiting_segments = 256;   // not yet packed into postings
inline constexpr std::size_t memory_rebuild_segments = 10'000;  // the same while all are made anew
inline constexpr std::size_t memory_posting_bytes = 2048;       // one packed piece of a term's list
inline constexpr std::size_t memory_candidates = 1000;          // scored with everything
inline constexpr std::int64_t memory_replay_pages = 200'000;    // a corpus that is built again

// memory/merge, memory/folder, memory/foreign
inline constexpr std::size_t merge_cells = 4u << 20;              // of one comparison unit by unit
inline constexpr std::size_t folder_files = 200'000;              // of one folder
inline constexpr int folder_depth = 32;                           // folders within folders
inline constexpr std::size_t folder_file_bytes = 4u << 20;        // one page's file
inline constexpr std::size_t front_matter_bytes = 2u << 20;       // of one file
inline constexpr std::size_t front_matter_keys = 256;             // of one file
inline constexpr std::size_t front_matter_items = 10'000;         // of one list
inline constexpr std::size_t folder_problems = 1000;              // that are reported one by one
inline constexpr std::size_t folder_batch = 500;                  // pages in one transaction
inline constexpr std::size_t folder_slug_bytes = 60;              // of a file's name
inline constexpr std::size_t history_line_bytes = 8u << 20;       // one line of an export's history
inline constexpr auto folder_poll_time = 2s;                      // between two looks at the folder
inline constexpr std::size_t foreign_file_bytes = 1u << 30;       // one export of another program
inline constexpr std::size_t foreign_message_bytes = 256u << 10;  // one message; more is cut

// memory/notion
inline constexpr double notion_requests_per_second = 2.5;  // unless keel.toml says otherwise
inline constexpr double notion_pace_min = 0.1;
inline constexpr double notion_pace_max = 1000.0;
inline constexpr double notion_burst = 5.0;     // requests at once after a rest
inline constexpr int notion_attempts = 5;       // of one request
inline constexpr auto notion_retry_max = 60s;   // between two of them
inline constexpr auto notion_pause_max = 600s;  // that a Retry-After is obeyed for
inline constexpr auto notion_request_time = 60s;
inline constexpr std::size_t notion_answer_bytes = 16u << 20;
inline constexpr std::size_t notion_body_bytes = 400u << 10;  // of a page's text in one request
inline constexpr int notion_rows = 100;                       // in one answer: the service's bound
inline constexpr std::size_t notion_lookup = 50;              // ids looked for in one request
inline constexpr int notion_push = 200;                       // pages taken up at once
inline constexpr int notion_overlap_minutes = 2;              // looked at again: times are rounded
inline constexpr int notion_windows = 100;                    // of 10,000 rows each
inline constexpr std::size_t notion_tag_chars = 100;          // the service's bound
inline constexpr std::size_t notion_match_cells = 4u << 20;   // of units compared with units
inline constexpr auto notion_write_time = 2s;                 // between two looks for pages to send
inline constexpr auto notion_poll_time = 30s;                 // between two looks at Notion
inline constexpr auto notion_trouble_time = 300s;   // until it is tried again when it was refused
inline constexpr auto notion_full_time = 3600s;     // the same for new pages when it is full
inline constexpr auto notion_sweep_time = 86'400s;  // after which every row is looked at again
inline constexpr int notion_sweep_pages = 5;        // whose text is compared in one idle pass
inline constexpr int notion_deletions = 25;         // at once; more wait for the owner's word
inline constexpr int notion_lock_wait_ms = 30'000;  // for a sync that another process does
inline constexpr std::size_t notion_shown = 20;     // problems and conflicts in one status
inline constexpr std::size_t notion_query_bytes = 200;
inline constexpr int notion_found = 10;                      // pages that a search gives the model
inline constexpr std::size_t notion_page_bytes = 12u << 10;  // of a page, shown to the model
inline constexpr std::size_t notion_create_bytes = 32u << 10;  // written by the model

// model/route
inline constexpr std::size_t route_rules = 100;
inline constexpr std::size_t route_names = 32;  // in one list of a rule
inline constexpr int breaker_failures = 3;      // in a row, then a model is left alone ...
inline constexpr auto breaker_pause = 10s;      // ... for so long, twice as long each time ...
inline constexpr auto breaker_pause_max = 600s;
// Of a prompt, to guess its tokens before anybody has counted them: about; surely no fewer tokens;
// surely no more.
inline constexpr std::int64_t route_bytes_per_token = 4;
inline constexpr std::int64_t route_bytes_per_token_most = 6;
inline constexpr std::int64_t route_bytes_per_token_least = 2;
inline constexpr std::size_t route_code_bytes = 64u << 10;  // of a message, looked at for code
inline constexpr int route_fallbacks = 8;                   // models that one answer may try

// account
inline constexpr int account_days = 400;               // that rows are kept
inline constexpr std::size_t egress_pages = 256;       // named in one row
inline constexpr std::size_t egress_text_bytes = 300;  // of one text in a row
inline constexpr int usage_days_max = account_days;
inline constexpr int usage_rows_max = 10'000;  // in one listing

// gateway/api, equal requests and keys
inline constexpr std::size_t joined_bytes = 16u << 20;  // of events kept for those that join
inline constexpr std::size_t joined_clients = 16;       // that share one answer
inline constexpr std::size_t key_streams = 64;          // answers at once for one key

// gateway/api, what one key may ask for
inline constexpr std::size_t gateway_keys = 64;              // [[gateway.key]] in keel.toml
inline constexpr std::int64_t key_requests_max = 1'000'000;  // a minute
inline constexpr std::int64_t key_tokens_max = std::int64_t{1'000'000'000'000};  // a day
// A client that is told to wait for longer is told not to try again by itself.
inline constexpr auto key_wait_max = 60s;

// model/local and model/cloud, prompts that are only counted
inline constexpr std::size_t engine_counts = 64;  // that wait in the child
inline constexpr auto cloud_count_time = 20s;     // for a service to count one

// model/route, the battery
inline constexpr std::size_t power_supplies = 32;      // of one machine that are looked at
inline constexpr std::size_t power_text_bytes = 4096;  // of one file, or of pmset's answer
inline constexpr auto power_age = 15s;                 // that one look is good for
inline constexpr auto power_command_time = 2s;         // for pmset to answer

// memory/writing, agent/writing
inline constexpr std::size_t day_page_bytes = 12u << 10;  // then the day's next part begins
inline constexpr std::size_t day_said_bytes = 400;        // of the owner's words in one entry
inline constexpr std::size_t day_reply_bytes = 400;       // of the answer
inline constexpr std::size_t day_digest_bytes = 600;      // of a whole day, put before the model
inline constexpr std::size_t writing_batch = 200;         // exchanges taken up at once
inline constexpr auto writing_quiet = 60s;  // of a conversation, before its day's page is written
inline constexpr std::size_t writing_waiting = 12;  // exchanges that wait no longer for that
inline constexpr auto extract_quiet = 20s;   // of every conversation, before a model is asked
inline constexpr auto extract_pause = 5min;  // after it could not be
inline constexpr int extract_attempts = 3;   // of one exchange
inline constexpr std::size_t extract_said_bytes = 4u << 10;  // of the owner's words, shown to it
inline constexpr std::size_t extract_words = 4;  // fewer say nothing that the rules do not see
inline constexpr std::size_t extract_pages = 5;  // of one exchange
inline constexpr int extract_tokens = 480;       // that the model may write
inline constexpr std::size_t extract_text_bytes = 300;      // of what a page says in a line
inline constexpr std::size_t extract_attribute_bytes = 64;  // of what is compared: its name, value

// memory/foreign: exports that come packed
inline constexpr std::size_t zip_entries = 200'000;
inline constexpr std::size_t zip_name_bytes = 1024;
inline constexpr std::uint64_t zip_directory_bytes = 64u << 20;

}  // namespace keel::limits
