// The meta commands as modern clients use them, the stampede protection above all.
import Foundation
import Testing

@Suite struct MetaConversationTests {
    @Test func getSetDeleteArithmetic() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("mg a v\r\n", "EN\r\n")
            try wire.ask("mg a v q\r\nmn\r\n", "MN\r\n")
            try wire.ask("mg a s v k O123\r\n", "EN ka O123\r\n")
            try wire.ask("ms a 5 T100 F7 O9 k\r\nhello\r\n", "HD O9 ka\r\n")
            try wire.ask("mg a t f s v k O12\r\n", "VA 5 t100 f7 s5 ka O12\r\nhello\r\n")
            try wire.ask("mg a h l\r\n", "HD h1 l0\r\n")
            try wire.ask("ms a 1 ME\r\nx\r\n", "NS\r\n")
            try wire.ask("ms a 1 MA\r\n!\r\n", "HD\r\n")
            try wire.ask("ms a 1 MP\r\n>\r\n", "HD\r\n")
            try wire.ask("mg a v\r\n", "VA 7\r\n>hello!\r\n")
            try wire.ask("ms none 1 MR\r\nx\r\n", "NS\r\n")
            try wire.ask("md a q\r\nmn\r\n", "MN\r\n")
            try wire.ask("md a\r\n", "NF\r\n")
            try wire.ask("ma n\r\n", "NF\r\n")
            try wire.ask("ma n N0 J13 v t\r\n", "VA 2 t-1\r\n13\r\n")
            try wire.ask("ma n v\r\n", "VA 2\r\n14\r\n")
            try wire.ask("ma n MD D4 v\r\n", "VA 2\r\n10\r\n")
            try wire.ask("ma n M+ D90 v\r\n", "VA 3\r\n100\r\n")
            try wire.ask("ma n q\r\nmn\r\n", "MN\r\n")
        }
    }

    @Test func stampedeProtection() throws {
        try withDaemon { daemon in
            let first = try daemon.connect(), second = try daemon.connect()
            try first.ask("mg a s v N30 t\r\n", "VA 0 s0 t30 W\r\n\r\n")
            try second.ask("mg a v N30 t\r\n", "VA 0 t30 Z\r\n\r\n")
            try first.ask("ms a 3 T90\r\nnew\r\n", "HD\r\n")
            try second.ask("mg a v t\r\n", "VA 3 t90\r\nnew\r\n")
            try first.ask("mg a v R100\r\n", "VA 3 W\r\nnew\r\n")
            try second.ask("mg a v R100\r\n", "VA 3 Z\r\nnew\r\n")
            try first.ask("md a I T30\r\n", "HD\r\n")
            try first.ask("mg a v t\r\n", "VA 3 t30 X W\r\nnew\r\n")
            try second.ask("mg a v t\r\n", "VA 3 t30 Z X\r\nnew\r\n")
            try first.ask("ms a 4 T90\r\nnewer\r\n", "CLIENT_ERROR bad data chunk\r\n")
        }
    }

    @Test func comparedAndChosenCas() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("ms a 1 E1000 c\r\nx\r\n", "HD c1000\r\n")
            try wire.ask("ms a 1 C999 c\r\ny\r\n", "EX c0\r\n")
            try wire.ask("ms a 1 C1000 E2000\r\ny\r\n", "HD\r\n")
            try wire.ask("md a C1\r\n", "EX\r\n")
            try wire.ask("mg a c v\r\n", "VA 1 c2000\r\ny\r\n")
            try wire.ask("ms a 1 C1999 I\r\nz\r\n", "HD\r\n")
            try wire.ask("mg a v\r\n", "VA 1 X W\r\nz\r\n")
            try wire.ask("md a x\r\n", "HD\r\n")
            try wire.ask("mg a v s f\r\n", "VA 0 s0 f0\r\n\r\n")
        }
    }

    @Test func binaryKeysAndErrors() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.ask("ms AAEC 2 b\r\nhi\r\n", "HD\r\n")
            try wire.ask("mg AAEC b k v\r\n", "VA 2 kAAEC b\r\nhi\r\n")
            try wire.ask("mg a! b v\r\n", "CLIENT_ERROR error decoding key\r\n")
            try wire.ask("mg a v v\r\n", "CLIENT_ERROR duplicate flag\r\n")
            try wire.ask("mg a @\r\n", "CLIENT_ERROR bad command line format\r\n")
            try wire.ask("ms a 1 Txx\r\nx\r\n", "CLIENT_ERROR bad token in command line format\r\n")
            try wire.ask("ms a x\r\n", "CLIENT_ERROR bad command line format\r\n")
            try wire.ask("ma a J1 J2\r\n", "CLIENT_ERROR invalid or duplicate flag\r\n")
            try wire.ask("me nothing\r\n", "EN\r\n")
            try wire.ask("set d 0 0 1\r\nx\r\n", "STORED\r\n")
            try wire.send("me d\r\n")
            let row = try wire.line()
            for name in ["ME d exp=-1", " la=", " cas=", " fetch=no", " cls=", " size="] {
                #expect(row.contains(name), "\(row)")
            }
        }
    }

    /// Fifty clients find the key missing at once: exactly one is told to make it, again and again.
    @Test func oneWinnerPerRound() throws {
        let rounds = Surroundings.isLong ? 1000 : 60
        try withDaemon { daemon in
            let wires = try (0..<50).map { _ in try daemon.connect() }
            for round in 0..<rounds {
                let key = "race-\(round % 7)"
                if round >= 7 { try wires[0].ask("md \(key) q\r\nmn\r\n", "MN\r\n") }
                try race(wires, Array("mg \(key) v N30\r\n".utf8), round)
                // Make it, invalidate it, and race for the second time: stale for all, a win for one.
                try wires[0].ask("ms \(key) 2 T60\r\nok\r\n", "HD\r\n")
                try wires[0].ask("md \(key) I T60\r\n", "HD\r\n")
                try race(wires, Array("mg \(key) v\r\n".utf8), round, stale: true)
            }
        }
    }

    private func race(_ wires: [Wire], _ request: [UInt8], _ round: Int, stale: Bool = false) throws {
        for wire in wires { _ = try wire.push(request[...]) }
        var winners = 0, losers = 0
        for wire in wires {
            let head = try wire.line()
            #expect(try wire.line() == (stale ? "ok" : ""))
            let words = head.split(separator: " ")
            if words.contains("W") { winners += 1 } else if words.contains("Z") { losers += 1 }
            #expect(words.contains("X") == stale, "\(head)")
        }
        #expect(
            winners == 1 && losers == wires.count - 1, "round \(round): \(winners) winners, \(losers) losers")
    }
}
