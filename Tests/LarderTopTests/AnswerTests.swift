// What `larder top` makes of bytes from outside: answers in any pieces, and what is no answer.
import Testing

@testable import LarderTop

@Suite struct AnswerTests {
    private func answers(_ text: String, piece: Int = .max) throws -> [Answer] {
        var reader = AnswerReader()
        let bytes = Array(text.utf8)
        var found: [Answer] = []
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + min(piece, bytes.count))
            found += try reader.feed(bytes[at..<end])
            at = end
        }
        return found
    }

    private static let conversation =
        "STORED\r\nSTAT pid 7\r\nSTAT version 1.6.45\r\nSTAT empty\r\nEND\r\nERROR\r\nRESET\r\n"
        + "CLIENT_ERROR unauthenticated\r\nSTAT a b c\nEND\n"

    @Test func answersInPiecesOfAnySize() throws {
        let whole = try answers(Self.conversation)
        #expect(whole.count == 6)
        #expect(
            whole[1].rows == [
                StatRow(name: "pid", value: "7"), StatRow(name: "version", value: "1.6.45"),
                StatRow(name: "empty", value: ""),
            ])
        #expect(whole[2].refusal == "ERROR" && whole[4].refusal == "CLIENT_ERROR unauthenticated")
        #expect(whole[5].rows == [StatRow(name: "a", value: "b c")])
        for piece in 1..<Self.conversation.utf8.count {
            #expect(try answers(Self.conversation, piece: piece) == whole)
        }
    }

    @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n", "-ERR unknown command\r\n", "\0\0\n", "\n"])
    func whatSpeaksAnotherProtocolIsLeft(_ text: String) {
        #expect(throws: AnswerReader.Fault.self) { try answers(text) }
    }

    @Test func nothingGrowsWithoutBound() throws {
        #expect(throws: AnswerReader.Fault.self) {
            try answers("STAT " + String(repeating: "x", count: AnswerReader.longestLine))
        }
        let row = "STAT 1:state conn_read\r\n"
        let many = String(repeating: row, count: AnswerReader.mostRows + 100) + "END\r\n"
        let answer = try #require(try answers(many).first)
        #expect(answer.rows.count == AnswerReader.mostRows && answer.rowsLeftOut == 100)
        var reader = AnswerReader()
        let block = Array(String(repeating: row, count: 40_000).utf8)
        #expect(throws: AnswerReader.Fault.self) {
            for _ in 0..<40 { _ = try reader.feed(block[...]) }
        }
    }

    @Test func controlCharactersAreSpelledOut() throws {
        let answer = try #require(try answers("STAT a\u{1B}b \u{1B}[2Jx\u{9B}\u{7F}é\r\nEND\r\n").first)
        #expect(answer.rows == [StatRow(name: "a\\x1bb", value: "\\x1b[2Jx\\xc2\\x9b\\x7f\\xc3\\xa9")])
    }

    @Test func numbersAreNumbersOrNothing() {
        for text in [
            "", "-1", "nan", "inf", "1e999", "x", " 1", "1 ", String(repeating: "9", count: 33),
        ] {
            #expect(Sample.number(text) == nil, "\(text)")
        }
        #expect(Sample.number("0.25") == 0.25)
        #expect(Sample.number("18446744073709551615") == 18_446_744_073_709_551_616)
    }

    @Test func classesAndClients() {
        var sample = Sample(time: 0)
        sample.takeClasses(
            slabs: Answer(rows: [
                StatRow(name: "2:chunk_size", value: "120"),
                StatRow(name: "2:chunks_per_page", value: "10"),
                StatRow(name: "2:total_pages", value: "3"), StatRow(name: "active_slabs", value: "1"),
                StatRow(name: "99999999999999999999:chunk_size", value: "1"),
                StatRow(name: "-3:chunk_size", value: "1"), StatRow(name: "2:total_chunks", value: "30"),
                StatRow(name: "2:used_chunks", value: "15"),
            ]),
            items: Answer(rows: [
                StatRow(name: "items:2:number", value: "15"),
                StatRow(name: "items:2:mem_requested", value: "900"),
                StatRow(name: "items:2", value: "1"), StatRow(name: "items::x", value: "1"),
            ]))
        #expect(sample.classes.map(\.number) == [2])
        #expect(sample.classes[0].memory == 3600 && sample.classes[0].filled == 0.5)
        #expect(sample.classes[0].slack == 0.5)
        sample.takeClients(
            Answer(rows: [
                StatRow(name: "9:addr", value: "tcp:[::1]:5"),
                StatRow(name: "9:state", value: "conn_listening"),
                StatRow(name: "27:addr", value: "unix:/a b"),
                StatRow(name: "27:secs_since_last_cmd", value: "3"),
                StatRow(name: "x:addr", value: "y"),
            ]))
        #expect(sample.clients?.map(\.descriptor) == [9, 27])
        #expect(sample.clients?[0].isListener == true && sample.clients?[1].idle == 3)
    }

    @Test func places() {
        func place(_ text: String) -> Target.Place? { Target.parse(text)?.place }
        #expect(place("a:1") == .tcp(host: "a", port: "1"))
        #expect(place("a") == .tcp(host: "a", port: "11211"))
        #expect(place(":1") == .tcp(host: "127.0.0.1", port: "1"))
        #expect(place("11212") == .tcp(host: "127.0.0.1", port: "11212"))
        #expect(place("[::1]:5") == .tcp(host: "::1", port: "5"))
        #expect(place("::1") == .tcp(host: "::1", port: "11211"))
        #expect(place("/run/x") == .unix(path: "/run/x"))
        for wrong in ["a:", "a:0", "a:65536", "a:-1", "[::1", "[]:1", "[::1]x", "99999", "", "0"] {
            #expect(place(wrong) == nil, "\(wrong)")
        }
        #expect(Target.parse("[::1]:5")?.name == "[::1]:5")
    }

    @Test func figures() {
        #expect(Figures.count(99_999) == "99999" && Figures.count(123_456) == "123k")
        #expect(Figures.count(999_999) == "1.00M" && Figures.count(1e300) == ">9999P")
        #expect(Figures.count(.nan) == "-" && Figures.count(.infinity) == "-" && Figures.count(nil) == "-")
        #expect(Figures.rate(0.04) == "0.0" && Figures.rate(9.96) == "10" && Figures.rate(-1) == "0")
        #expect(Figures.bytes(1023) == "1023" && Figures.bytes(1024) == "1.00K")
        #expect(Figures.bytes(1_048_576 * 64) == "64.0M")
        #expect(Figures.percent(0.9996) == "100" && Figures.percent(0.934) == "93.4")
        #expect(Figures.duration(59) == "59s" && Figures.duration(3599) == "59m59s")
        #expect(Figures.duration(3600) == "1h00m" && Figures.duration(1e300) == "11574074d")
        #expect(Figures.printable([65, 0, 66], limit: 2) == "A\\x00...")
    }
}
