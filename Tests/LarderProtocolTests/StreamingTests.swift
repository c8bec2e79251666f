// What doesn't fit: long values, multigets without end, replies larger than a buffer, lines that never end.
import LarderStore
import Testing

@testable import LarderProtocol

@Suite struct StreamingTests {
    /// Values that are received in pieces, some as chains of chunks.
    @Test(arguments: [2047, 2048, 2049, 4096, 20_000, 70_000, 300_000])
    func longValues(length: Int) {
        var exchange = Exchange()
        let value = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let request = Array("set k 7 0 \(length)\r\n".utf8) + value + Array("\r\nget k\r\n".utf8)
        let expected = Array("STORED\r\nVALUE k 7 \(length)\r\n".utf8) + value + Array("\r\nEND\r\n".utf8)
        for step in [1000, 4097, 16_384, 1 << 20] {
            exchange.startOver()
            let pieces = stride(from: 0, to: request.count, by: step).map {
                request[$0..<min($0 + step, request.count)]
            }
            let answer = exchange.converse(pieces)
            #expect(answer.reply == expected, "pieces of \(step)")
        }
        for cut in Array(0..<30) + Array(request.count - 12..<request.count) {
            exchange.startOver()
            let answer = exchange.converse([request[..<cut], request[cut...]])
            #expect(answer.reply == expected, "cut at \(cut)")
        }
    }

    @Test func longMetaValues() {
        var exchange = Exchange()
        let value = String(repeating: "v", count: 5000)
        let tail = String(value.prefix(2500))
        exchange.check(
            "ms a5 5000 k s Oq1\r\n\(value)\r\nms YTU= 2500 MA b k s q\r\n\(tail)\r\n"
                + "ms none 2500 MA q O1\r\n\(tail)\r\n"
                + "ms a5 5000 q\r\n\(value)x\nmg a5 s\r\n",
            "HD ka5 s5000 Oq1\r\nNS O1\r\nCLIENT_ERROR bad data chunk\r\nHD s7500\r\n")
    }

    /// A cas chosen by the client is kept with a value that comes in pieces, too.
    @Test(arguments: [5000, 70_000]) func longValuesWithAChosenCAS(length: Int) {
        var exchange = Exchange()
        let value = [UInt8](repeating: 0x76, count: length)
        let request = Array("ms a \(length) c E4711\r\n".utf8) + value
            + Array("\r\nmg a c s\r\nmd a I E5000\r\nmg a c\r\n".utf8)
        let answer = exchange.converse([request[..<1000], request[1000...]])
        #expect(String(decoding: answer.reply, as: UTF8.self)
            == "HD c4711\r\nHD c4711 s\(length)\r\nHD\r\nHD c5000 X W\r\n")
    }

    /// A long value has no room for a cas chosen later: the one clients know is out of date all the same.
    @Test func anInvalidatedLongValueHasANewCAS() {
        var exchange = Exchange()
        let value = String(repeating: "v", count: 70_000)
        let reply = Self.ask("ms a 70000 c\r\n\(value)\r\n", &exchange)
        let cas = reply.dropFirst(4).dropLast(2)
        #expect(Self.ask("md a I E99\r\nms a 1 C\(cas)\r\nx\r\n", &exchange) == "HD\r\nEX\r\n")
    }

    /// Where there is no memory for the item without its value, it stays as it is, and the client is told.
    @Test func aValueThatCannotBeDropped() {
        var exchange = Exchange(memory: 4 << 20, evicts: false)
        let value = String(repeating: "v", count: 1900)
        var stored = 0
        while Self.ask("set k\(stored) 0 0 1900\r\n\(value)\r\n", &exchange) == "STORED\r\n" { stored += 1 }
        #expect(stored > 1000)
        #expect(Self.ask("md k0 x\r\nmg k0 s\r\n", &exchange)
            == "SERVER_ERROR out of memory storing object\r\nHD s1900\r\n")
    }

    private static func ask(_ request: String, _ exchange: inout Exchange) -> String {
        String(decoding: exchange.converse([Array(request.utf8)[...]]).reply, as: UTF8.self)
    }

    /// Memory is given back when the client leaves in the middle of a value.
    @Test func abandonedValue() {
        var exchange = Exchange(memory: 8 << 20)
        let start = Array("set k 0 0 900000\r\n".utf8) + [UInt8](repeating: 1, count: 500_000)
        for _ in 0..<200 { _ = exchange.converse([start[...]]) }
        let answer = exchange.converse([Array("set a 0 0 1\r\nx\r\nget k a\r\n".utf8)[...]])
        #expect(String(decoding: answer.reply, as: UTF8.self) == "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
    }

    @Test func endlessMultiget() {
        var exchange = Exchange()
        _ = exchange.converse([Array("set a 0 0 1\r\nx\r\n".utf8)[...]])
        let request = Array(("get" + String(repeating: " a", count: 20_000) + "\r\n").utf8)
        let expected = String(repeating: "VALUE a 0 1\r\nx\r\n", count: 20_000) + "END\r\n"
        for step in [1 << 20, 16_384, 5000, 333] {
            let pieces = stride(from: 0, to: request.count, by: step).map {
                request[$0..<min($0 + step, request.count)]
            }
            let answer = exchange.converse(pieces)
            #expect(answer.reply == Array(expected.utf8), "pieces of \(step)")
        }
        #expect(exchange.flushes > 0)
    }

    @Test func linesWithoutEnd() {
        var exchange = Exchange()
        let junk = [UInt8](repeating: 0x78, count: 3000)
        let closed = exchange.converse([junk[...]])
        #expect(closed.end == .close)
        let key = Array("get a ".utf8) + junk
        let refused = exchange.converse([key[...], Array(" b c\r\nversion\r\n".utf8)[...]])
        let text = String(decoding: refused.reply, as: UTF8.self)
        #expect(text == "CLIENT_ERROR bad command line format\r\nVERSION 1.6.45\r\n")
        let binary = exchange.converse([[0x80, 0x0B, 0, 0][...]])
        #expect(binary.end == .close && binary.reply.isEmpty)
    }

    @Test func turns() {
        var exchange = Exchange { $0.requestsPerTurn = 3 }
        exchange.check(String(repeating: "get a\r\n", count: 10), String(repeating: "END\r\n", count: 10))
        #expect(exchange.yields > 0)
        exchange.startOver()
        let before = exchange.yields
        _ = exchange.converse([Array(String(repeating: "get a\r\n", count: 10).utf8)[...]])
        #expect(exchange.yields - before == 3)
    }

    @Test func authentication() {
        var exchange = Exchange { $0.requiresAuth = true }
        exchange.check(
            "get a\r\nversion\r\nset x 0 0 9\r\nann wrong\r\nset x 0 0 3\r\nann\r\nset x 0 0 16\r\n"
                + "ann secret words\r\nget a\r\n",
            "CLIENT_ERROR unauthenticated\r\nCLIENT_ERROR unauthenticated\r\n"
                + "CLIENT_ERROR authentication failure\r\n"
                + "CLIENT_ERROR bad authentication token format\r\nSTORED\r\nEND\r\n")
    }

    /// What the server says has to wait is answered after the pause, in its turn.
    @Test func authenticationThatWaits() {
        var exchange = Exchange { $0.requiresAuth = true }
        exchange.check(
            "set x 0 0 6\r\nslow x\r\nget a\r\nset x 0 0 6\r\nbusy x\r\n"
                + "set x 0 0 16\r\nann secret words\r\nget a\r\n",
            "CLIENT_ERROR authentication failure\r\nCLIENT_ERROR unauthenticated\r\n"
                + "CLIENT_ERROR authentication failure\r\nSTORED\r\nEND\r\n")
        #expect(exchange.pauses.prefix(2) == [9, 7])
        #expect(exchange.worker.store.snapshot().counters[.authErrors, default: 0] > 0)
    }
}
