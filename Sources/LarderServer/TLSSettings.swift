// What the command line says about TLS: the values, the options that write them, and the rows of `stats
// settings` that show them.

/// `-Z` and the `ssl_` words of `-o`.
public struct TLSSettings: Sendable, Equatable {
    public var isEnabled = false
    public var chainFile: String?
    /// nil: the key stands in the file of the chain.
    public var keyFile: String?
    public var keyFormat = KeyFormat.pem
    public var clientCheck = ClientCheck.none
    /// What a client's certificate must descend from.
    public var authorityFile: String?
    /// OpenSSL's lists, suites of TLS 1.3 among the others; nil: its defaults.
    public var ciphers: String?
    public var resumesSessions = false
    public var usesKernel = false
    public var oldest = Version.tls12
    /// memcached's knob: shown, and without effect, since a record is 16 KiB at most.
    public var writeBufferBytes = 16 << 10
    /// Words of `-o` that were given, for those who forget `-Z`.
    var words: [String] = []

    public init() {}

    /// Raw values as memcached's `ssl_keyformat`.
    public enum KeyFormat: Int, Sendable { case pem = 1, der = 2 }

    /// Raw values as memcached's `ssl_verify_mode`.
    public enum ClientCheck: Int, Sendable {
        case none, request, require, once
        /// OpenSSL's SSL_VERIFY bits, which `stats settings` shows too.
        var bits: Int32 { [0, 1, 3, 7][rawValue] }
    }

    /// Raw values as memcached's `ssl_min_version`, of which older ones are not served.
    public enum Version: Int, Sendable {
        case tls12 = 2, tls13 = 3
        var name: String { self == .tls12 ? "tlsv1.2" : "tlsv1.3" }
        /// As it stands in the protocol.
        var number: Int32 { self == .tls12 ? 0x0303 : 0x0304 }
    }
}

/// What a listener of a daemon with TLS does, by the prefix of its address in `-l`.
public enum ListenerSecurity: String, Sendable, CaseIterable {
    /// Plain text all the same.
    case none = "notls"
    /// TLS, and no certificate asked of the client, whatever `ssl_verify_mode` says.
    case serverOnly = "btls"
    /// TLS, and no client without a certificate.
    case mutual = "mtls"
    /// TLS as the options say; no prefix.
    case asConfigured = ""
}

extension Settings {
    /// What no TLS option can check alone.
    mutating func checkTLS() throws(StartFailure) {
        guard tls.isEnabled else {
            if let address = listen.first(where: { $0.security != .asConfigured }) {
                throw .usage("-l \(address.security.rawValue):\(address.host): needs -Z")
            }
            if !tls.words.isEmpty {
                warnings.append("\(tls.words.joined(separator: ", ")) without -Z: nothing is encrypted")
            }
            return
        }
        guard tls.chainFile != nil else { throw .usage("-Z: needs -o ssl_chain_cert=FILE") }
        guard unixPath == nil, port != 0 else { throw .usage("-Z: needs a TCP port (-p), and has none") }
        if udpPort != 0 { warnings.append("-U: UDP is not encrypted, with -Z neither") }
        if tls.authorityFile == nil,
            tls.clientCheck != .none || listen.contains(where: { $0.security == .mutual }) {
            warnings.append("no client's certificate can be trusted without -o ssl_ca_cert=FILE")
        }
    }

    /// Its rows of `stats settings`, there only with `-Z`.
    static let tlsRows: [Row] = [
        Row("ssl_enabled") { $0.tls.isEnabled ? "yes" : "no" },
        Row("ssl_chain_cert") { $0.tls.chainFile ?? "(null)" },
        Row("ssl_key") { $0.tls.keyFile ?? $0.tls.chainFile ?? "(null)" },
        Row("ssl_verify_mode") { "\($0.tls.clientCheck.bits)" },
        Row("ssl_keyformat") { "\($0.tls.keyFormat.rawValue)" },
        Row("ssl_ciphers") { $0.tls.ciphers ?? "NULL" },
        Row("ssl_ca_cert") { $0.tls.authorityFile ?? "NULL" },
        Row("ssl_wbuf_size") { "\($0.tls.writeBufferBytes)" },
        Row("ssl_session_cache") { $0.tls.resumesSessions ? "yes" : "no" },
        Row("ssl_kernel_tls") { $0.tls.usesKernel ? "yes" : "no" },
        Row("ssl_min_version") { $0.tls.oldest.name },
    ]
}

extension OptionTable {
    /// The words of `-o`; `-Z` itself stands with the options of the network.
    static let tlsWords: [Option] = [
        tlsWord("ssl_chain_cert", .required("file"), help: "the server's certificate and its chain, PEM") {
            $0.chainFile = try Value.path($1)
        },
        tlsWord("ssl_key", .required("file"), help: "its private key (default: in the same file)") {
            $0.keyFile = try Value.path($1)
        },
        tlsWord("ssl_keyformat", .required("1|2"), help: "of the key's file: 1 PEM (default), 2 DER") {
            switch $1.uppercased() {
            case "1", "PEM": $0.keyFormat = .pem
            case "2", "DER": $0.keyFormat = .der
            default: throw BadValue("must be 1 (PEM) or 2 (DER)")
            }
        },
        tlsWord("ssl_verify_mode", .required("0-3"),
            help: "the client's certificate: 0 not asked for (default), 1 checked\n"
                + "if there is one, 2 required, 3 required once") {
            $0.clientCheck = .init(rawValue: try Value.integer($1, in: 0...3)) ?? .none
        },
        tlsWord("ssl_ca_cert", .required("file"), help: "authorities of clients' certificates, PEM") {
            $0.authorityFile = try Value.path($1)
        },
        tlsWord("ssl_ciphers", .required("list"), help: "OpenSSL's list, TLS_ suites among the others") {
            $0.ciphers = try Value.word($1)
        },
        tlsWord("ssl_min_version", .required("2|3"), help: "oldest to be spoken: TLS 1.2 (default) or 1.3") {
            guard let version = TLSSettings.Version(rawValue: try Value.integer($1, in: 0...3)) else {
                throw BadValue("TLS before 1.2 is not served: must be 2 (TLS 1.2) or 3 (TLS 1.3)")
            }
            $0.oldest = version
        },
        tlsWord("ssl_session_cache", help: "let clients resume sessions, with fewer handshakes in full") {
            tls, _ in
            tls.resumesSessions = true
        },
        tlsWord("ssl_kernel_tls", help: "let the kernel encrypt, where it can") { tls, _ in
            tls.usesKernel = true
        },
        tlsWord("ssl_wbuf_size", .required("KB"), help: "accepted; nothing is buffered beyond a record") {
            $0.writeBufferBytes = try Value.integer($1, in: 1...(1 << 20)) << 10
        },
    ]

    private static func tlsWord(
        _ name: String, _ argument: Option.Argument = .none, help: String,
        _ store: @escaping @Sendable (inout TLSSettings, String) throws -> Void
    ) -> Option {
        Option(
            spelling: .extended(name), argument: argument, group: .tls, rows: [name], help: help
        ) { settings, text in
            try store(&settings.tls, text)
            settings.tls.words.append("-o \(name)")
        }
    }
}
