// Time: what expires, what flush_all ends, and that neither ends anything else.
import Foundation
import Testing

@Suite struct ExpiryTests {
    @Test func relativeAbsoluteAndPast() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            let now = Clock.unixTime
            try wire.ask("set never 0 0 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("set short 0 2 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("set negative 0 -1 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("set past 0 \(now - 10) 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("set soon 0 \(now + 3) 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("set month 0 2592000 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("set long 0 2592001 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("set y2038 0 2147483647 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("get negative past long\r\n", "END\r\n")
            try wire.ask(
                "get never short soon month y2038\r\n",
                "VALUE never 0 1\r\nx\r\nVALUE short 0 1\r\nx\r\n"
                    + "VALUE soon 0 1\r\nx\r\nVALUE month 0 1\r\nx\r\nVALUE y2038 0 1\r\nx\r\nEND\r\n")
            try wire.ask("touch short 0\r\n", "TOUCHED\r\n")
            try wire.ask("gat 1 month\r\n", "VALUE month 0 1\r\nx\r\nEND\r\n")
            let start = Clock.now
            try wait(upTo: 6, for: "what is due to be gone") {
                try wire.send("get soon month\r\n")
                return try wire.lines(through: "END").count == 1
            }
            #expect(Clock.now - start > 0.9)
            try wire.ask("get short never\r\n", "VALUE short 0 1\r\nx\r\nVALUE never 0 1\r\nx\r\nEND\r\n")
            try wire.ask("add month 0 0 3\r\nnew\r\n", "STORED\r\n")
            try wire.ask("touch soon 10\r\n", "NOT_FOUND\r\n")
            try wire.ask("incr soon 1\r\n", "NOT_FOUND\r\n")
        }
    }

    /// Larder's own choice: a time after January 2038 is a time like any other.
    @Test func after2038() throws {
        if Surroundings.daemon.hasSuffix("memcached") { return }
        try withDaemon { daemon in
            let wire = try daemon.connect()
            for time in ["2147483648", "4102444800"] {
                try wire.ask("set a 0 \(time) 1\r\nx\r\n", "STORED\r\n")
                try wire.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
                try wire.ask("touch a \(time)\r\n", "TOUCHED\r\n")
                try wire.ask("gat \(time) a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
                try wire.ask("mg a T\(time) v\r\n", "VA 1\r\nx\r\n")
            }
        }
    }

    /// libmemcached sends -1 as 32 bits without a sign.
    @Test func negativeTimesWithoutTheirSign() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("set a 0 4294967295 1\r\nx\r\nget a\r\n", "STORED\r\nEND\r\n")
            try wire.ask("set a 0 4294967195 1\r\nx\r\nget a\r\n", "STORED\r\nEND\r\n")
        }
    }

    @Test func flushAllWithADelay() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n")
            try wire.ask("flush_all 2\r\n", "OK\r\n")
            try wire.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
            try wait(upTo: 5, for: "the delayed flush") {
                try wire.send("get a\r\n")
                return try wire.lines(through: "END").count == 1
            }
            // What is stored after the flush stays.
            try wire.ask("set b 0 0 1\r\ny\r\n", "STORED\r\n")
            Clock.pass(1.2)
            try wire.ask("get b\r\n", "VALUE b 0 1\r\ny\r\nEND\r\n")
            // A later flush replaces the one that is pending.
            try wire.ask("flush_all 100\r\nflush_all 1000\r\nflush_all\r\n", "OK\r\nOK\r\nOK\r\n")
            try wire.ask("get b\r\n", "END\r\n")
        }
    }

    /// Writers hammer away while another connection flushes: nothing from before a flush is seen after it,
    /// and nothing from after it is lost.
    @Test func flushAllIsExactUnderLoad() throws {
        if Surroundings.daemon.hasSuffix("memcached") { return }
        let rounds = Surroundings.isLong ? 2000 : 150
        try withDaemon("-t", "4") { daemon in
            let controller = try daemon.connect()
            let writers = try (0..<8).map { _ in try daemon.connect() }
            for round in 0..<rounds {
                for (number, writer) in writers.enumerated() {
                    let sets = (0..<50).map { "set w\(number)-\($0) \(round) 0 1 noreply\r\nx\r\n" }.joined()
                    try writer.send(sets + "mn\r\n")
                }
                for writer in writers { try writer.expect("MN\r\n") }
                try controller.ask("flush_all\r\n", "OK\r\n")
                for (number, writer) in writers.enumerated() {
                    try writer.send("set fresh\(number) 0 0 1 noreply\r\ny\r\n")
                    let keys = (0..<50).map { "w\(number)-\($0)" }.joined(separator: " ")
                    try writer.send("get \(keys) fresh\(number)\r\n")
                }
                for (number, writer) in writers.enumerated() {
                    try writer.expect("VALUE fresh\(number) 0 1\r\ny\r\nEND\r\n")
                }
            }
        }
    }

    /// Expired items make room before anything alive has to go.
    @Test func expiredMemoryIsUsedBeforeLiveItemsAre() throws {
        if Surroundings.daemon.hasSuffix("memcached") { return }
        try withDaemon("-m", "32") { daemon in
            let wire = try daemon.connect()
            let value = String(repeating: "e", count: 1000)
            for index in 0..<2000 { try wire.tell("set keep\(index) 0 0 1000 noreply\r\n\(value)\r\n") }
            for batch in 0..<16 {
                try wire.tell(
                    (0..<1000).map { "set brief\(batch)-\($0) 0 1 1000 noreply\r\n\(value)\r\n" }.joined())
            }
            Clock.pass(2.2)
            for batch in 0..<16 {
                try wire.tell(
                    (0..<1000).map { "set next\(batch)-\($0) 0 0 1000 noreply\r\n\(value)\r\n" }.joined())
                Clock.pass(0.05)
            }
            var kept = 0
            for index in 0..<2000 {
                try wire.send("mg keep\(index)\r\n")
                if try wire.line() == "HD" { kept += 1 }
            }
            #expect(kept > 1800, "\(kept) of 2000 live items kept while 16000 had expired")
        }
    }
}
