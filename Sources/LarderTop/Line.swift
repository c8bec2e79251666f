// What a screen is made of: lines of spans, each with a style. Whether a style becomes an escape code is the
// terminal's business.

struct Style: OptionSet, Sendable {
    let rawValue: Int
    static let bold = Style(rawValue: 1)
    static let dim = Style(rawValue: 2)
    static let reverse = Style(rawValue: 4)
    static let alarm = Style(rawValue: 8)
    static let accent = Style(rawValue: 16)
}

struct Span: Equatable, Sendable {
    var text: String
    var style: Style
}

struct Line: Equatable, Sendable {
    private(set) var spans: [Span] = []

    init() {}
    init(_ text: String, _ style: Style = []) { append(text, style) }

    mutating func append(_ text: String, _ style: Style = []) {
        if !text.isEmpty { spans.append(Span(text: text, style: style)) }
    }

    mutating func append(_ line: Line) { spans += line.spans }

    /// All characters here are one column wide.
    var width: Int { spans.reduce(0) { $0 + $1.text.count } }
    var text: String { spans.map(\.text).joined() }

    /// Cut to `width` columns.
    func cut(_ width: Int) -> Line {
        var rest = width
        var line = Line()
        for span in spans where rest > 0 {
            let text = String(span.text.prefix(rest))
            line.append(text, span.style)
            rest -= text.count
        }
        return line
    }

    /// Filled up with blanks of `style`.
    func padded(_ width: Int, _ style: Style = []) -> Line {
        var line = cut(width)
        line.append(String(repeating: " ", count: max(0, width - line.width)), style)
        return line
    }
}
