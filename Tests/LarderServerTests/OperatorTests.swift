// What operators and their tools look at: the fields of `stats`, dumps of keys, watchers, and UDP.
import Foundation
import Testing

@Suite struct OperatorTests {
    /// Monitoring agents count on these names; tools that parse by position count on the order.
    private static let fields = """
        pid uptime time version libevent pointer_size rusage_user rusage_system max_connections
        curr_connections
        total_connections rejected_connections connection_structures response_obj_oom response_obj_count
        response_obj_bytes read_buf_count read_buf_bytes read_buf_bytes_free read_buf_oom reserved_fds
        cmd_get cmd_set
        cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired get_flushed delete_misses delete_hits
        incr_misses
        incr_hits decr_misses decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses store_too_large
        store_no_memory auth_cmds auth_errors bytes_read bytes_written limit_maxbytes accepting_conns
        listen_disabled_num time_in_listen_disabled_us threads conn_yields hash_power_level hash_bytes
        hash_is_expanding slab_reassign_rescues slab_reassign_chunk_rescues slab_reassign_inline_reclaim
        slab_reassign_busy_items slab_reassign_busy_deletes slab_reassign_busy_nomem
        slab_reassign_last_busy_status
        slab_reassign_running slabs_moved lru_crawler_running lru_crawler_starts lru_maintainer_juggles
        malloc_fails
        log_worker_dropped log_worker_written log_watcher_skipped log_watcher_sent log_watchers
        unexpected_napi_ids
        round_robin_fallback bytes curr_items total_items slab_global_page_pool expired_unfetched
        evicted_unfetched
        evicted_active evictions reclaimed crawler_reclaimed crawler_items_checked lrutail_reflocked
        moves_to_cold
        moves_to_warm moves_within_lru direct_reclaims lru_bumps_dropped
        """

    @Test func statsHasMemcachedsFields() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.send("stats\r\n")
            let names = try wire.lines(through: "END").dropLast().map { String($0.split(separator: " ")[1]) }
            #expect(names == Self.fields.split(whereSeparator: \.isWhitespace).map(String.init))
        }
    }

    @Test func statsCountsWhatHappens() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.tell("set a 0 0 1 noreply\r\nx\r\nset n 0 0 1 noreply\r\n5\r\n")
            try wire.send(
                "get a b\r\nincr n 1\r\nincr m 1\r\ntouch a 0\r\ndelete m\r\ncas a 0 0 1 1\r\ny\r\n")
            _ = try wire.lines(through: "EXISTS")
            let stats = try wire.stats()
            let expected = [
                "cmd_get": "2", "get_hits": "1", "get_misses": "1", "cmd_set": "3", "incr_hits": "1",
                "incr_misses": "1", "cmd_touch": "1", "touch_hits": "1", "delete_misses": "1",
                "cas_badval": "1",
                "curr_items": "2", "threads": "4",
            ]
            for (name, value) in expected { #expect(stats[name] == value, "\(name)") }
            try wire.ask("stats reset\r\n", "RESET\r\n")
            let after = try wire.stats()
            #expect(after["cmd_get"] == "0" && after["curr_items"] == "2")
        }
    }

    /// Every key is in the dump once, though others write meanwhile; one who leaves in the middle harms
    /// nobody.
    @Test(arguments: ["metadump", "mgdump"]) func dumpsAreComplete(_ kind: String) throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            let count = 20_000
            try wire.tell((0..<count).map { "set key:\($0) 0 0 2 noreply\r\nxy\r\n" }.joined())
            let leaver = try daemon.connect(receiveBuffer: 4096)
            try leaver.send("lru_crawler \(kind) all\r\n")
            _ = try leaver.line()
            leaver.reset()
            let dumper = try daemon.connect()
            // Another dump may be under way still.
            try wait(for: "the dump to begin") {
                try dumper.send("lru_crawler \(kind) all\r\n")
                return try dumper.line() == "OK"
            }
            let last = kind == "metadump" ? "END" : "EN"
            let rows = try dumper.lines(through: last).dropLast()
            let keys = rows.map { $0.split(separator: " ")[kind == "metadump" ? 0 : 1] }
            #expect(rows.count == count && Set(keys).count == count)
            try wire.ask("get key:7\r\n", "VALUE key:7 0 2\r\nxy\r\nEND\r\n")
        }
    }

    @Test func watchersSeeWhatHappens() throws {
        try withDaemon { daemon in
            let watcher = try daemon.connect(), wire = try daemon.connect()
            try watcher.ask("watch mutations fetchers\r\n", "OK\r\n")
            try wire.tell("set a 0 0 1 noreply\r\nx\r\n")
            try wire.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
            // A set looks for the old item first, as in memcached.
            let lookedFor = try watcher.line(), stored = try watcher.line(), fetched = try watcher.line()
            #expect(lookedFor.contains("type=item_get key=a status=not_found"), "\(lookedFor)")
            #expect(
                stored.hasPrefix("ts=") && stored.contains("type=item_store key=a status=stored"), "\(stored)"
            )
            #expect(fetched.contains("type=item_get key=a status=found"), "\(fetched)")
        }
    }

    /// A watcher that doesn't read loses lines and is told how many; nobody waits for it.
    @Test func aSlowWatcherLosesLines() throws {
        try withDaemon("-t", "1") { daemon in
            let watcher = try daemon.connect(receiveBuffer: 4096), wire = try daemon.connect()
            try watcher.ask("watch fetchers\r\n", "OK\r\n")
            let before = daemon.ownBytes
            try wire.send(String(repeating: "get none\r\n", count: 200_000) + "mn\r\n")
            for _ in 0..<200_000 { try wire.expect("END\r\n") }
            try wire.expect("MN\r\n")
            if Surroundings.sanitizer == nil { #expect(daemon.ownBytes - before < 8 << 20) }
            var isTold = false
            for _ in 0..<300_000 where !isTold {
                guard let line = try? watcher.line(upTo: 1) else { break }
                isTold = line.contains("skipped=")
                if !isTold && line.isEmpty { break }
            }
            // Told with the next line that gets through, which needs something to happen.
            if !isTold {
                try wire.ask("get none\r\n", "END\r\n")
                while !isTold { isTold = try watcher.line().contains("skipped=") }
            }
            #expect(isTold)
        }
    }

    @Test func searchesForExpiredItemsAreSeen() throws {
        try withDaemon { daemon in
            let watcher = try daemon.connect()
            try watcher.ask("watch sysevents\r\n", "OK\r\n")
            let wire = try daemon.connect()
            try wire.tell((0..<100).map { "set s\($0) 0 1 1 noreply\r\nx\r\n" }.joined())
            var reclaimed = 0
            while reclaimed < 100 {
                let line = try watcher.line()
                guard line.contains("type=lru_crawler crawler=1 lru=na ") else { continue }
                reclaimed += line.split(separator: "=").last.flatMap { Int($0) } ?? 0
                #expect(line.contains(" examined=") && line.contains(" next_run="))
            }
            #expect(reclaimed == 100)
            #expect(try wire.stats()["curr_items"] == "0")
        }
    }

    /// memcached's frame of 8 bytes: request id, sequence, count, reserved.
    @Test func udp() throws {
        try withDaemon("-A", "-U", "-1") { daemon in
            let wire = try daemon.connect()
            try wire.ask("set a 0 0 5\r\nhello\r\n", "STORED\r\n")
            let udp = try UDPSocket(daemon)
            func ask(_ request: String) -> String {
                udp.send(request, number: 0x1234)
                var ready = pollfd(fd: udp.descriptor, events: Int16(POLLIN), revents: 0)
                #expect(poll(&ready, 1, Int32(Surroundings.patience * 1000)) == 1)
                let answer = udp.datagram() ?? []
                #expect(Array(answer.prefix(8)) == [0x12, 0x34, 0, 0, 0, 1, 0, 0])
                return String(decoding: answer.dropFirst(8), as: UTF8.self)
            }
            #expect(ask("get a\r\n") == "VALUE a 0 5\r\nhello\r\nEND\r\n")
            #expect(ask("verbosity 1\r\nversion\r\n").hasPrefix("OK\r\nVERSION "))
            #expect(ask("watch\r\n") == "CLIENT_ERROR not over UDP\r\n")
            #expect(ask("shutdown\r\n") == "CLIENT_ERROR not over UDP\r\n")
            try wire.ask("get a\r\n", "VALUE a 0 5\r\nhello\r\nEND\r\n")
        }
    }
}
