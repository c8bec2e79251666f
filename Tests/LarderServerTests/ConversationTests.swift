// The classic commands as a person at a telnet prompt, or a client library, would type them.
import Foundation
import Testing

@Suite struct ConversationTests {
    @Test func aFirstSessionByHand() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.send("set a 0 60 5\r\nhello\r\nget a\r\nquit\r\n")
            #expect(printable(try wire.rest()) == #""STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n""#)
        }
    }

    @Test func storageCommands() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("get a\r\n", "END\r\n")
            try wire.ask("replace a 0 0 1\r\nx\r\n", "NOT_STORED\r\n")
            try wire.ask("append a 0 0 1\r\nx\r\n", "NOT_STORED\r\n")
            try wire.ask("prepend a 0 0 1\r\nx\r\n", "NOT_STORED\r\n")
            try wire.ask("add a 5 0 3\r\nmid\r\n", "STORED\r\n")
            try wire.ask("add a 5 0 1\r\nx\r\n", "NOT_STORED\r\n")
            try wire.ask("append a 9 0 4\r\n-end\r\n", "STORED\r\n")
            try wire.ask("prepend a 9 0 6\r\nstart-\r\n", "STORED\r\n")
            try wire.ask("get a\r\n", "VALUE a 5 13\r\nstart-mid-end\r\nEND\r\n")
            try wire.ask("replace a 4294967295 0 0\r\n\r\n", "STORED\r\n")
            try wire.ask("get a\r\n", "VALUE a 4294967295 0\r\n\r\nEND\r\n")
            try wire.ask("set b 0 0 2\r\n\r\n\r\n", "STORED\r\n")
            try wire.ask(
                "get a b c b\r\n",
                "VALUE a 4294967295 0\r\n\r\nVALUE b 0 2\r\n\r\n\r\nVALUE b 0 2\r\n\r\n\r\nEND\r\n")
        }
    }

    @Test func compareAndSwap() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("cas a 0 0 1 1\r\nx\r\n", "NOT_FOUND\r\n")
            try wire.ask("set a 7 0 1\r\nx\r\n", "STORED\r\n")
            let first = try unique(of: "a", wire)
            try wire.ask("cas a 7 0 1 \(first &+ 1)\r\nn\r\n", "EXISTS\r\n")
            try wire.ask("cas a 7 0 1 \(first)\r\ny\r\n", "STORED\r\n")
            let second = try unique(of: "a", wire)
            #expect(second != first)
            try wire.ask("cas a 7 0 1 \(first)\r\nz\r\n", "EXISTS\r\n")
            try wire.ask("touch a 100\r\n", "TOUCHED\r\n")
            #expect(try unique(of: "a", wire) == second)
            try wire.ask("gats 0 a\r\n", "VALUE a 7 1 \(second)\r\ny\r\nEND\r\n")
        }
    }

    private func unique(of key: String, _ wire: Wire) throws -> UInt64 {
        try wire.send("gets \(key)\r\n")
        let head = try wire.lines(through: "END")[0]
        return UInt64(head.split(separator: " ").last ?? "") ?? 0
    }

    @Test func touchAndDelete() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("touch a 10\r\n", "NOT_FOUND\r\n")
            try wire.ask("delete a\r\n", "NOT_FOUND\r\n")
            try wire.ask("set a 1 0 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("touch a 10\r\n", "TOUCHED\r\n")
            try wire.ask("mg a t\r\n", "HD t10\r\n")
            try wire.ask("gat 100 a b\r\n", "VALUE a 1 1\r\nx\r\nEND\r\n")
            try wire.ask("mg a t\r\n", "HD t100\r\n")
            try wire.ask("touch a x\r\n", "CLIENT_ERROR invalid exptime argument\r\n")
            try wire.ask("gat x a\r\n", "CLIENT_ERROR invalid exptime argument\r\n")
            try wire.ask("delete a 0\r\n", "DELETED\r\n")
            try wire.ask("delete a\r\n", "NOT_FOUND\r\n")
        }
    }

    @Test func arithmetic() throws {
        let delta = "CLIENT_ERROR invalid numeric delta argument\r\n"
        let word = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("incr n 1\r\n", "NOT_FOUND\r\n")
            try wire.ask("set n 3 0 1\r\n9\r\n", "STORED\r\n")
            try wire.ask("incr n 1\r\n", "10\r\n")
            try wire.ask("get n\r\n", "VALUE n 3 2\r\n10\r\nEND\r\n")
            try wire.ask("decr n 11\r\n", "0\r\n")
            try wire.ask("incr n 18446744073709551615\r\n", "18446744073709551615\r\n")
            try wire.ask("incr n 1\r\n", "0\r\n")
            try wire.ask("incr n 18446744073709551616\r\n", delta)
            try wire.ask("incr n -1\r\n", delta)
            try wire.ask("incr n x\r\n", delta)
            try wire.ask("set n 0 0 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("incr n 1\r\n", word)
            try wire.ask("decr n 1\r\n", word)
            try wire.ask("set n 0 0 5\r\n12 ab\r\n", "STORED\r\n")
            try wire.ask("incr n 3\r\n", "15\r\n")
        }
    }

    @Test func smallCommands() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.send("version\r\n")
            let version = try wire.line()
            #expect(version.hasPrefix("VERSION 1."), "clients compare it with memcached's: \(version)")
            try wire.ask("verbosity 0\r\n", "OK\r\n")
            try wire.ask("verbosity x\r\n", "CLIENT_ERROR bad command line format\r\n")
            try wire.ask("flush_all\r\n", "OK\r\n")
            try wire.ask("flush_all x\r\n", "CLIENT_ERROR invalid exptime argument\r\n")
            try wire.ask("mn\r\n", "MN\r\n")
            try wire.ask("shutdown\r\n", "SERVER_ERROR: shutdown not enabled\r\n")
            try wire.ask("nonsense a b\r\n", "ERROR\r\n")
            try wire.ask("GET a\r\n", "ERROR\r\n")
            try wire.ask("version\n", version + "\r\n")
            try wire.ask("cache_memlimit 1\r\n", "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n")
            try wire.ask("cache_memlimit 96\r\n", "OK\r\n")
            #expect(try wire.stats()["limit_maxbytes"] == "100663296")
            try wire.send("quit\r\n")
            #expect(try wire.isClosed())
        }
    }

    @Test func noreplyIsSilent() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.tell("set a 0 0 1 noreply\r\n1\r\n")
            try wire.tell("add a 0 0 1 noreply\r\n2\r\n")
            try wire.tell("incr a 4 noreply\r\ndecr a 1 noreply\r\n")
            try wire.tell("append a 0 0 1 noreply\r\n0\r\nprepend a 0 0 1 noreply\r\n2\r\n")
            try wire.tell("cas a 0 0 1 1234567890123 noreply\r\nx\r\ntouch a 50 noreply\r\n")
            try wire.ask("get a\r\n", "VALUE a 0 3\r\n240\r\nEND\r\n")
            try wire.tell("replace a 0 0 1 noreply\r\nr\r\nverbosity 0 noreply\r\n")
            try wire.ask("get a\r\n", "VALUE a 0 1\r\nr\r\nEND\r\n")
            try wire.tell("delete a noreply\r\n")
            try wire.ask("get a\r\n", "END\r\n")
            try wire.tell("incr a 1 noreply\r\ndelete a noreply\r\nflush_all noreply\r\n")
        }
    }

    @Test func faultyStorageLines() throws {
        let format = "CLIENT_ERROR bad command line format\r\n"
        let long = String(repeating: "k", count: 251)
        try withDaemon { daemon in
            let wire = try daemon.connect()
            // Length + 2 bytes are read; what is left over is the next command.
            try wire.ask("set a 0 0 3\r\nabcd\r\n", "CLIENT_ERROR bad data chunk\r\n" + format)
            try wire.ask("set a 0 0 3\r\nabcdeget a\r\n", "CLIENT_ERROR bad data chunk\r\nEND\r\n")
            try wire.ask("set a 0 0 5\r\nabc\r\nmn\r\n", "CLIENT_ERROR bad data chunk\r\n" + format)
            try wire.ask("get a\r\n", "END\r\n")
            try wire.ask("set a 0 0 -1\r\n", format)
            try wire.ask("set a 0 0 x\r\n", "CLIENT_ERROR bad command line format\r\n")
            try wire.ask("set a x 0 5\r\nstats\r\n", format)
            try wire.ask("set a 0 x 5\r\nstats\r\n", format)
            try wire.ask("set a -1 0 5\r\nstats\r\n", format)
            try wire.ask("set \(long) 0 0 5\r\nstats\r\n", format)
            try wire.ask("cas a 0 0 5\r\nstats\r\n", format)
            try wire.ask("get \(long)\r\n", format)
            try wire.ask("get a \(long)\r\n", format)
            try wire.ask("set \(long.dropLast()) 0 0 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("get \(long.dropLast())\r\n", "VALUE \(long.dropLast()) 0 1\r\nx\r\nEND\r\n")
            try wire.ask("get\r\n", format)
            try wire.ask("\r\n", format)
            try wire.ask(" get a\r\n", "ERROR\r\n")
        }
    }

    @Test func whatEndsAConversation() throws {
        try withDaemon { daemon in
            for talk in ["GET / HTTP/1.1\r\n", String(repeating: "x", count: 3000), "\u{80}"] {
                let wire = try daemon.connect()
                let bytes =
                    talk == "\u{80}"
                    ? [UInt8](repeating: 0x80, count: 1) + [UInt8](repeating: 0, count: 23)
                    : Array(talk.utf8)
                try wire.send(bytes)
                let said = try wire.rest()
                #expect(said.count < 60, "\(printable(said)) to \(printable(Array(bytes.prefix(20))))")
            }
            try daemon.connect().ask("mn\r\n", "MN\r\n")
        }
    }

    @Test func tooLargeForTheCache() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n")
            let value = String(repeating: "v", count: 1 << 20)
            try wire.ask(
                "set a 0 0 \(value.count + 1)\r\n\(value)+\r\n",
                "SERVER_ERROR object too large for cache\r\n")
            try wire.ask("get a\r\n", "END\r\n")
        }
    }
}
