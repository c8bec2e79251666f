// The scenes that come in by other doors than plain TCP: datagrams, passwords, TLS and HTTP.
import Foundation
import Testing

/// Requests in datagrams. One that is not answered is lost, as datagrams are.
final class DatagramScene: AllocationScene {
    let options = ["-U", "-1"]
    private static let big = 40_000
    private var number: UInt16 = 0

    func prepare(_ daemon: Daemon) throws {
        let value = String(repeating: "b", count: Self.big)
        let wire = try daemon.connect()
        try wire.ask("set big 0 0 \(Self.big)\r\n\(value)\r\n", "STORED\r\n")
        try wire.ask("set number 0 0 1\r\n1\r\n", "STORED\r\n")
    }

    func play(_ daemon: Daemon, strictly: Bool) throws -> String? {
        let udp = try UDPSocket(daemon)
        let value = String(repeating: "b", count: Self.big)
        let small = String(repeating: "s", count: 500)
        for (ask, answer) in [
            ("get number\r\n", "VALUE number 0 1\r\n1\r\nEND\r\n"), ("incr number 1\r\n", "2\r\n"),
            ("decr number 1\r\n", "1\r\n"),
            ("set small 0 0 500\r\n\(small)\r\n", "STORED\r\n"),
            ("get" + String(repeating: " small", count: 60) + "\r\n",
                String(repeating: "VALUE small 0 500\r\n\(small)\r\n", count: 60) + "END\r\n"),
            ("get big\r\n", "VALUE big 0 \(Self.big)\r\n\(value)\r\nEND\r\n"), ("verbosity 0\r\n", "OK\r\n"),
            ("watch\r\n", "CLIENT_ERROR not over UDP\r\n"),
            ("lru_crawler metadump all\r\n", "CLIENT_ERROR not over UDP\r\n"),
        ] {
            number &+= 1
            udp.send(ask, number: number)
            // The worker has seen it before it answers twice.
            try wait(for: "the daemon to answer") {
                guard let wire = try? daemon.connect() else { return false }
                return try Heard(wire, "").isOpen && Heard(wire, "").isOpen
            }
            var heard = Heard(text: receive(udp), isOpen: true)
            if heard.text.isEmpty { heard.isOpen = false }
            if let fault = heard.fault(answer, strictly: strictly) { return fault }
        }
        return nil
    }

    /// The datagrams that are there, put together.
    private func receive(_ udp: UDPSocket) -> String {
        var pieces: [Int: ArraySlice<UInt8>] = [:]
        while let datagram = udp.datagram() {
            guard Int(datagram[0]) << 8 | Int(datagram[1]) == Int(number) else { continue }
            pieces[Int(datagram[2]) << 8 | Int(datagram[3])] = datagram[8...]
        }
        return String(decoding: (0..<pieces.count).flatMap { pieces[$0] ?? [] }, as: UTF8.self)
    }
}

/// Right and wrong passwords, in one piece and in two, and the file read again.
final class PasswordScene: AllocationScene {
    private let folder: TemporaryFolder
    private let file: String
    var options: [String] { ["-Y", file] }

    init() throws {
        folder = try TemporaryFolder()
        file = folder.path("users")
        try "ann:one\n".write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, 0o640)
    }

    private static let right = "set auth 0 0 7\r\nann one\r\n"
    private static let wrong = "set auth 0 0 7\r\nann two\r\n"
    private static let refusal = "CLIENT_ERROR authentication failure\r\n"

    func prepare(_ daemon: Daemon) throws {}

    func play(_ daemon: Daemon, strictly: Bool) throws -> String? {
        let value = String(repeating: "v", count: 5000)
        for pieces in [
            [Self.right], [Self.right + "set a 0 0 5000\r\n\(value)\r\n"],
            ["set auth 0 0 7\r\nan", "n one\r\n"], ["set auth 0 ", "0 7\r\nann one\r\n"],
            [Self.wrong + Self.right], ["set auth 0 0 7\r\nann t", "wo\r\nset auth 0 0 7\r", "\nann one\r\n"],
        ] {
            let wire = try daemon.connect()
            var ask = pieces[0]
            for piece in pieces.dropFirst() {
                // Whoever is refused may be gone.
                try? wire.send(ask)
                usleep(500)
                ask = piece
            }
            var expected = pieces.joined().contains("two") ? Self.refusal : ""
            expected += pieces.joined().contains("5000") ? "STORED\r\nSTORED\r\n" : "STORED\r\n"
            if let fault = try Heard(wire, ask).fault(expected, strictly: strictly) { return fault }
        }
        return try reread(daemon, strictly)
    }

    private func reread(_ daemon: Daemon, _ strictly: Bool) throws -> String? {
        let before = daemon.process.errors.utf8.count
        daemon.process.signal(SIGHUP)
        var said = ""
        try wait(for: "the password file to be read again") {
            said = String(daemon.process.errors.utf8.dropFirst(before)) ?? ""
            return said.contains("reload: password file") && said.hasSuffix("\n")
        }
        let isDone = said.contains("1 entries")
        return isDone || !strictly && said.contains("the old stays in use") ? nil : said
    }
}

/// Handshakes and requests over TLS, and the certificates read again.
final class EncryptedScene: AllocationScene {
    private let certificates: Certificates
    var options: [String] { certificates.options() }
    /// OpenSSL asks two thousand times, from fifty places.
    let hasManyPlaces = true
    let more = 20

    init() throws { certificates = try Certificates.shared.get() }

    func prepare(_ daemon: Daemon) throws {}

    func play(_ daemon: Daemon, strictly: Bool) throws -> String? {
        let value = String(repeating: "v", count: 50_000)
        let client = try Secure(daemon.port)
        let answer = "STORED\r\nVALUE a 0 50000\r\n\(value)\r\nEND\r\n"
        let heard = try Heard(client.wire, "set a 0 0 50000\r\n\(value)\r\nget a\r\n")
        if let fault = heard.fault(answer, strictly: strictly) { return fault }
        client.wire.close()
        let other = try Secure(daemon.port)
        let reread = try Heard(other.wire, "refresh_certs\r\n")
        if reread.text.hasPrefix("SERVER_ERROR the old certificates stay in use"), !strictly { return nil }
        return reread.fault("OK\r\n", strictly: strictly)
    }
}

/// Pages over HTTP. What comes is whole, or can be seen not to be.
final class PageScene: AllocationScene {
    let options = ["--http=-1"]
    /// The last ten minutes, second by second.
    let blocksPerSecond = 2.0

    func prepare(_ daemon: Daemon) throws {}

    func play(_ daemon: Daemon, strictly: Bool) throws -> String? {
        for path in ["/healthz", "/metrics", "/", "/status.json", "/none"] {
            let wire = try Wire.tcp(daemon.httpPort)
            let words = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            // libevent forgets a request whose line it had no memory for: its client has to give up.
            let patience = strictly ? Surroundings.patience : 0.5
            guard (try? wire.send(words)) != nil, let bytes = try? wire.rest(upTo: patience) else {
                if strictly { return "\(path): no answer" }
                continue
            }
            if let fault = fault(path, bytes), strictly || !isHonest(bytes) { return fault }
        }
        return nil
    }

    private func fault(_ path: String, _ bytes: [UInt8]) -> String? {
        let answer = try? HTTPAnswer(bytes)
        let length = answer?.headers["content-length"].flatMap { Int($0) }
        let isRight = answer?.status == (path == "/none" ? 404 : 200) && length == answer?.body.utf8.count
        return isRight ? nil : "\(path): \(printable(bytes.prefix(300)))"
    }

    /// Nothing, an error, or something that is seen to be incomplete.
    private func isHonest(_ bytes: [UInt8]) -> Bool {
        guard bytes.starts(with: "HTTP/1.1 ".utf8), let answer = try? HTTPAnswer(bytes) else { return true }
        if answer.status >= 500 { return true }
        return answer.headers["content-length"].flatMap { Int($0) } ?? 0 > answer.body.utf8.count
    }
}
