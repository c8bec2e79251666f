// The grammar of `-l`: addresses with a comma (or semicolon) between them, each a name, an IPv4 address, an
// IPv6 address bare or in brackets, and a port where the address does not use the common one.

enum ListenList {
    /// Adds what one `-l` says; the first one replaces the default.
    static func add(_ text: String, to settings: inout Settings) throws(BadValue) {
        let parts = text.split(omittingEmptySubsequences: true) { $0 == "," || $0 == ";" }
        guard !parts.isEmpty else { throw BadValue("must name an address") }
        if settings.listenText == nil { settings.listen = [] }
        for part in parts {
            let address = try parse(String(part))
            if !settings.listen.contains(address) { settings.listen.append(address) }
        }
        settings.listenText = settings.listenText.map { $0 + "," + text } ?? text
    }

    /// One address.
    static func parse(_ text: String) throws(BadValue) -> ListenAddress {
        let security = ListenerSecurity.allCases.first {
            $0 != .asConfigured && text.hasPrefix($0.rawValue + ":")
        }
        var address = try parseUnprefixed(text.dropFirst(security.map { $0.rawValue.utf8.count + 1 } ?? 0))
        address.security = security ?? .asConfigured
        return address
    }

    private static func parseUnprefixed(_ text: Substring) throws(BadValue) -> ListenAddress {
        let rest = try withoutPrefixes(text)
        var host: Substring
        var port: Substring?
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { throw BadValue("lacks the closing ]") }
            host = rest[rest.index(after: rest.startIndex)..<end]
            let after = rest[rest.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw BadValue("has more than :port after ]") }
            port = after.isEmpty ? nil : after.dropFirst()
        } else if rest.count(where: { $0 == ":" }) == 1, let colon = rest.firstIndex(of: ":") {
            host = rest[..<colon]
            port = rest[rest.index(after: colon)...]
        } else {
            // No colon, or the several of an IPv6 address.
            host = rest
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw BadValue("must name an address")
        }
        guard let port else { return ListenAddress(host: String(host)) }
        guard let number = Int(port), number >= 1, number <= 65535 else {
            throw BadValue("has no port from 1 to 65535 after the colon")
        }
        return ListenAddress(host: String(host), port: number)
    }

    /// `--http`: a port of this machine, or an address with its port.
    static func http(_ text: String) throws(BadValue) -> ListenAddress {
        if let port = Int(text) {
            guard port == -1 || (1...65535).contains(port) else {
                throw BadValue("must be a port from 1 to 65535, or -1")
            }
            return ListenAddress(host: "127.0.0.1", port: port)
        }
        let isAnyPort = text.hasSuffix(":-1")
        let address = try parseUnprefixed(isAnyPort ? text.dropLast(2) + "1" : text[...])
        guard address.port != nil else { throw BadValue("must be a port, or an address with :port") }
        return ListenAddress(host: address.host, port: isAnyPort ? -1 : address.port)
    }

    /// memcached lets an address begin with a protocol and a tag. Text is all there is, and tags only mean
    /// something to its proxy.
    private static func withoutPrefixes(_ text: Substring) throws(BadValue) -> Substring {
        var rest = text
        if let (name, after) = try bracketed(rest, after: "proto") {
            guard name == "ascii" || name == "negotiating" else {
                throw BadValue("asks for a protocol other than ascii or negotiating")
            }
            rest = after
        }
        if let (tag, after) = try bracketed(rest, after: "tag") {
            guard tag.utf8.count >= 1, tag.utf8.count <= 8 else {
                throw BadValue("has no tag of 1 to 8 characters")
            }
            rest = after
        }
        return rest
    }

    /// `word[name]:rest` or `word_name_:rest`.
    private static func bracketed(
        _ text: Substring, after word: String
    ) throws(BadValue) -> (name: Substring, rest: Substring)? {
        guard text.hasPrefix(word + "[") || text.hasPrefix(word + "_") else { return nil }
        let inner = text.dropFirst(word.count + 1)
        let closing: Character = text.dropFirst(word.count).first == "[" ? "]" : "_"
        guard let end = inner.firstIndex(of: closing) else { throw BadValue("lacks the closing \(closing)") }
        let rest = inner[inner.index(after: end)...]
        guard rest.hasPrefix(":") else { throw BadValue("lacks a colon after \(word)") }
        return (inner[..<end], rest.dropFirst())
    }
}
