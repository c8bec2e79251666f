// TLS for tests: certificates made on the spot, and a client, both by the `openssl` command.
import Foundation
import Testing

/// Keys and certificates in a folder of their own, made once for all tests.
final class Certificates: Sendable {
    static let shared = Result { try Certificates() }

    let folder: TemporaryFolder
    func path(_ name: String) -> String { folder.path(name) }

    /// `first` and `second`: servers with their keys; `authority`, and `client`, which it signed; `stranger`,
    /// which it did not.
    private init() throws {
        folder = try TemporaryFolder()
        for name in ["first", "second", "authority", "stranger"] {
            try openssl(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
                    + "-subj /CN=\(name) -keyout \(path(name)).key -out \(path(name)).crt")
        }
        try openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=client "
                + "-keyout \(path("client")).key -out \(path("client")).csr")
        try openssl(
            "x509 -req -in \(path("client")).csr -CA \(path("authority")).crt "
                + "-CAkey \(path("authority")).key -CAcreateserial -days 30 -out \(path("client")).crt")
        // A daemon that gave up root reads them again.
        for name in ["first", "second"] { chmod(path(name + ".key"), 0o644) }
    }

    private func openssl(_ arguments: String) throws {
        let said = try ChildProcess.run(Secure.openssl(), arguments.split(separator: " ").map(String.init))
        guard said.ending == .exited(0) else { throw Trouble("openssl \(arguments): \(said.errors)") }
    }

    /// The options of a daemon that is `name`.
    func options(_ name: String = "first", _ more: String = "") -> [String] {
        ["-Z", "-o", "ssl_chain_cert=\(path(name)).crt,ssl_key=\(path(name)).key\(more)"]
    }

    /// The arguments of a client that shows a certificate.
    func showing(_ name: String) -> [String] {
        ["-cert", "\(path(name)).crt", "-key", "\(path(name)).key"]
    }
}

/// A client that speaks TLS: a `Wire` to `openssl s_client`, which does the rest.
final class Secure {
    let wire: Wire
    let process: ChildProcess
    private let folder: TemporaryFolder

    static func openssl() throws -> String {
        let found = Surroundings.find("openssl")
        try Surroundings.require(found != nil, "the openssl command")
        return found!
    }

    init(_ port: Int, host: String = "127.0.0.1", _ arguments: [String] = []) throws {
        folder = try TemporaryFolder()
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw Trouble("no socket pair")
        }
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        defer { close(ends[1]) }
        wire = Wire(descriptor: ends[0])
        let words = [try Self.openssl(), "s_client", "-quiet", "-connect", "\(host):\(port)"] + arguments
        process = try ChildProcess(
            "/bin/sh", ["-c", "exec \"$@\" <&3 >&3 3>&-", "sh"] + words, folder: folder,
            descriptors: [ends[1]])
    }

    /// The name in the server's certificate, as a new connection sees it.
    static func name(_ port: Int) throws -> String {
        let said = try ChildProcess.run(openssl(), ["s_client", "-connect", "127.0.0.1:\(port)"])
        let line = said.output.split(separator: "\n").first { $0.hasPrefix("subject=") } ?? "subject=?"
        return line.dropFirst("subject=".count).filter { $0 != " " }
    }
}
