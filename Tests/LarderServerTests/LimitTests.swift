// Limits an operator sets: connections, idle time, memory without eviction, no cas, forbidden commands.
import Foundation
import Testing

@Suite struct LimitTests {
    @Test func connectionsOverTheLimitAreRefused() throws {
        try withDaemon("-c", "20", "-t", "2") { daemon in
            var wires: [Wire] = []
            var refused = 0
            for _ in 0..<30 {
                let wire = try daemon.connect()
                try wire.send("mn\r\n")
                let answer = (try? wire.line()) ?? "closed"
                if answer == "MN" {
                    wires.append(wire)
                } else {
                    refused += 1
                    #expect(answer == "ERROR Too many open connections" || answer == "closed")
                }
            }
            #expect(refused >= 9, "only \(refused) of 30 refused by -c 20")
            #expect(wires.count >= 10, "only \(wires.count) of 20 served")
            try wait(for: "\(refused) rejected_connections") {
                try wires[0].stats()["rejected_connections"] == String(refused)
            }
            for wire in wires.dropFirst(2) { wire.close() }
            try wait(for: "room for another connection") {
                let wire = try daemon.connect()
                try wire.send("mn\r\n")
                return (try? wire.line()) == "MN"
            }
        }
    }

    /// Without maxconns_fast newcomers wait in the kernel's queue until there is room.
    @Test func connectionsOverTheLimitWait() throws {
        try withDaemon("-c", "10", "-t", "2", "-o", "no_maxconns_fast") { daemon in
            var wires: [Wire] = []
            var waiting: Wire?
            for _ in 0..<15 {
                let wire = try daemon.connect()
                try wire.send("mn\r\n")
                guard (try? wire.line(upTo: 1)) == "MN" else {
                    waiting = wire
                    break
                }
                wires.append(wire)
            }
            let patient = try #require(waiting)
            for wire in wires.dropFirst(1) { wire.close() }
            #expect(try patient.line() == "MN")
            #expect(try wires[0].stats()["listen_disabled_num"].flatMap { Int($0) } ?? 0 >= 1)
        }
    }

    @Test func idleConnectionsAreClosed() throws {
        try withDaemon("-o", "idle_timeout=2") { daemon in
            let idle = try daemon.connect(), busy = try daemon.connect(), stuck = try daemon.connect()
            try idle.ask("mn\r\n", "MN\r\n")
            try stuck.send("set a 0 0 100\r\nhalf")
            let start = Clock.now
            var closed = false
            while !closed && Clock.now - start < 10 {
                try busy.ask("mn\r\n", "MN\r\n")
                closed = (try? idle.isClosed(upTo: 0.25)) ?? false
            }
            #expect(closed)
            #expect(Clock.now - start >= 1)
            try busy.ask("mn\r\n", "MN\r\n")
            #expect(try busy.stats()["idle_kicks"].flatMap { Int($0) } ?? 0 >= 1)
        }
    }

    @Test func withoutEvictionAFullCacheSaysSo() throws {
        try withDaemon("-M", "-m", "16") { daemon in
            let wire = try daemon.connect()
            let value = String(repeating: "v", count: 10_000)
            var stored = 0, answer = ""
            repeat {
                try wire.send("set k\(stored) 0 0 10000\r\n\(value)\r\n")
                answer = try wire.line()
                if answer == "STORED" { stored += 1 }
            } while answer == "STORED" && stored < 5000
            #expect(answer == "SERVER_ERROR out of memory storing object")
            // memcached itself leaves pages to other classes; 16 MiB hold 1600 such values at most.
            #expect(stored > 800 && stored < 1700, "\(stored)")
            for index in [0, stored / 2, stored - 1] {
                try wire.ask("get k\(index)\r\n", "VALUE k\(index) 0 10000\r\n\(value)\r\nEND\r\n")
            }
            #expect(try wire.stats()["evictions"] == "0")
            try wire.ask("delete k0\r\n", "DELETED\r\n")
            try wire.ask("set again 0 0 10000\r\n\(value)\r\n", "STORED\r\n")
            try wire.ask("flush_all\r\n", "OK\r\n")
            try wait(for: "flushed memory to be used again") {
                try wire.send("set after 0 0 10000\r\n\(value)\r\n")
                return try wire.line() == "STORED"
            }
        }
    }

    @Test func withoutCas() throws {
        try withDaemon("-C") { daemon in
            let wire = try daemon.connect()
            try wire.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("gets a\r\n", "VALUE a 0 1 0\r\nx\r\nEND\r\n")
            #expect(try wire.stats("settings")["cas_enabled"] == "no")
            try wire.ask("flush_all\r\n", "OK\r\n")
            try wire.ask("get a\r\n", "END\r\n")
        }
    }

    @Test func forbiddenCommands() throws {
        try withDaemon("-F", "-X", "-W") { daemon in
            let wire = try daemon.connect()
            try wire.ask("flush_all\r\n", "CLIENT_ERROR flush_all not allowed\r\n")
            try wire.ask("stats cachedump 1 10\r\n", "CLIENT_ERROR stats cachedump not allowed\r\n")
            try wire.ask("lru_crawler metadump all\r\n", "ERROR metadump not allowed\r\n")
            try wire.ask("lru_crawler mgdump all\r\n", "ERROR key dump not allowed\r\n")
            try wire.ask("watch\r\n", "CLIENT_ERROR watch commands not allowed\r\n")
        }
    }

    @Test func shutdownWhereAllowed() throws {
        for command in ["shutdown\r\n", "shutdown graceful\r\n"] {
            let daemon = try Daemon(["-A"])
            try daemon.connect().send(command)
            #expect(try daemon.process.waitForEnd() == .exited(0))
        }
    }

    /// Everything is counted against -m: the process stays within it, its own code and stacks aside.
    @Test func memoryStaysWithinItsLimit() throws {
        try withDaemon("-m", "32") { daemon in
            let wire = try daemon.connect()
            var random = SeededRandom(seed: 11)
            for batch in 0..<60 {
                var text = ""
                for index in 0..<1000 {
                    let size = random.chance(90) ? random.below(1500) : random.below(20_000)
                    text += "set key-\(batch)-\(index) 0 0 \(size) noreply\r\n"
                    text += String(repeating: "m", count: size) + "\r\n"
                }
                try wire.tell(text)
            }
            #expect(try wire.stats()["evictions"].flatMap { Int($0) } ?? 0 > 0)
            if Surroundings.sanitizer == nil {
                #expect(daemon.ownBytes < (32 + 4) << 20, "\(daemon.ownBytes >> 10) KiB of its own")
                // What the code takes depends on the build: the static release build, which is the one
                // shipped, keeps to 8 MiB over -m; a dynamic one brings libraries it makes no use of.
                let isRelease = Surroundings.daemon.contains("/release/")
                let allowance = isRelease ? daemon.isStatic ? 8 : 10 : 16
                #expect(
                    daemon.residentBytes < (32 + allowance) << 20, "RSS is \(daemon.residentBytes >> 10) KiB")
                print(
                    "memory: \(daemon.ownBytes >> 10) KiB own, \(daemon.residentBytes >> 10) KiB RSS at -m 32"
                )
            }
        }
    }
}
