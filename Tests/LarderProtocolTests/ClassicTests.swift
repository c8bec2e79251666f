// The classic commands: request bytes and the exact reply, however the bytes are cut.
import LarderStore
import Testing

@testable import LarderProtocol

private let badLine = "CLIENT_ERROR bad command line format\r\n"

@Suite struct ClassicTests {
    @Test func storage() {
        var exchange = Exchange()
        exchange.check(
            "set a 5 0 3\r\nabc\r\nget a\r\nadd a 0 0 1\r\nx\r\nadd b 0 0 1\r\nx\r\nreplace c 0 0 1\r\ny\r\n"
                + "replace b 7 0 2\r\nyy\r\nappend a 9 0 1\r\nd\r\nprepend a 9 0 1\r\nz\r\n"
                + "append c 0 0 1\r\nx\r\n"
                + "get a b c\r\n",
            "STORED\r\nVALUE a 5 3\r\nabc\r\nEND\r\nNOT_STORED\r\nSTORED\r\nNOT_STORED\r\nSTORED\r\n"
                + "STORED\r\n"
                + "STORED\r\nNOT_STORED\r\nVALUE a 5 5\r\nzabcd\r\nVALUE b 7 2\r\nyy\r\nEND\r\n")
        exchange.check(
            "set e 0 0 0\r\n\r\nget e\r\nset n 4294967295 0 4\r\n\r\n\r\n\r\nget n e\r\n",
            "STORED\r\nVALUE e 0 0\r\n\r\nEND\r\nSTORED\r\nVALUE n 4294967295 4\r\n\r\n\r\n\r\n"
                + "VALUE e 0 0\r\n\r\nEND\r\n")
    }

    @Test func compareAndSwap() {
        var exchange = Exchange()
        exchange.check(
            "cas a 0 0 1 5\r\nx\r\nms a 1 E77\r\ny\r\ngets a\r\ncas a 3 0 2 76\r\nzz\r\ncas a 3 0 2 77\r\n"
                + "zz\r\n"
                + "cas a 3 0 2 0\r\nzz\r\nget a\r\n",
            "NOT_FOUND\r\nHD\r\nVALUE a 0 1 77\r\ny\r\nEND\r\nEXISTS\r\nSTORED\r\nEXISTS\r\nVALUE a 3 2\r\n"
                + "zz\r\nEND\r\n")
    }

    @Test func multiget() {
        var exchange = Exchange()
        let keys = (0..<100).map { "key\($0)" }
        let sets = keys.map { "set \($0) 0 0 \($0.utf8.count)\r\n\($0)\r\n" }.joined()
        let values = keys.map { "VALUE \($0) 0 \($0.utf8.count)\r\n\($0)\r\n" }.joined()
        exchange.check(
            sets + "get \(keys.joined(separator: " "))\r\nget   key1  none  \r\n",
            String(repeating: "STORED\r\n", count: 100) + values + "END\r\nVALUE key1 0 4\r\nkey1\r\nEND\r\n")
    }

    @Test func arithmetic() {
        var exchange = Exchange()
        exchange.check(
            "incr n 1\r\nset n 6 0 2\r\n10\r\nincr n 5\r\ndecr n 16\r\nincr n 18446744073709551615\r\n"
                + "incr n 2\r\n"
                + "incr n -1\r\nincr n x\r\nincr n\r\nget n\r\nset s 0 0 3\r\nabc\r\nincr s 1\r\n"
                + "decr s 1 noreply\r\n"
                + "incr n 4 noreply\r\nget n\r\n",
            "NOT_FOUND\r\nSTORED\r\n15\r\n0\r\n18446744073709551615\r\n1\r\n"
                + "CLIENT_ERROR invalid numeric delta argument\r\n"
                + "CLIENT_ERROR invalid numeric delta argument\r\n"
                + badLine + "VALUE n 6 1\r\n1\r\nEND\r\nSTORED\r\n"
                + "CLIENT_ERROR cannot increment or decrement non-numeric value\r\nVALUE n 6 1\r\n5\r\n"
                + "END\r\n")
    }

    @Test func deleteAndTouch() {
        var exchange = Exchange()
        exchange.check(
            "delete a\r\nset a 0 0 1\r\nx\r\ntouch a 10\r\ntouch b 10\r\ntouch a x\r\ntouch a\r\nmg a t\r\n"
                + "gat 20 a b\r\ngats 0 b\r\nmg a t\r\ngat 10\r\ngat x a\r\ndelete a 0\r\ndelete a\r\n"
                + "delete\r\n"
                + "touch a 0 noreply\r\ndelete a noreply\r\n",
            "NOT_FOUND\r\nSTORED\r\nTOUCHED\r\nNOT_FOUND\r\n"
                + "CLIENT_ERROR invalid exptime argument\r\n" + badLine
                + "HD t10\r\nVALUE a 0 1\r\nx\r\nEND\r\nEND\r\nHD t20\r\n" + badLine
                + "CLIENT_ERROR invalid exptime argument\r\nDELETED\r\nNOT_FOUND\r\n" + badLine)
    }

    @Test func exptimes() {
        var exchange = Exchange()
        // Moment 100 is unix time 1700000100; 2145916800 is in the year 2038, 4102444800 in 2100.
        exchange.check(
            "set a 0 -1 1\r\nx\r\nset b 0 1700000099 1\r\nx\r\nset c 0 1700000110 1\r\nx\r\n"
                + "set d 0 2592000 1\r\nx\r\nset e 0 4102444800 1\r\nx\r\nset f 0 0 1\r\nx\r\n"
                + "mg a t\r\nmg b t\r\nmg c t\r\nmg d t\r\nmg e t\r\nmg f t\r\n",
            String(repeating: "STORED\r\n", count: 6) + "EN\r\nEN\r\nHD t10\r\nHD t2592000\r\n"
                + "HD t2402444700\r\nHD t-1\r\n")
    }

    @Test func framing() {
        var exchange = Exchange()
        exchange.check(
            "\r\nx\r\nxx\r\nfoo bar noreply\r\n get a\r\nGET a\r\nget\r\nget \r\ngets\r\nset\r\n"
                + "get a\nversion\n",
            badLine + badLine + "ERROR\r\nERROR\r\nERROR\r\nERROR\r\n" + badLine + badLine + badLine + badLine
                + "END\r\nVERSION 1.6.45\r\n")
        exchange.check("set a 0 0 1\nx\r\nget a\n", "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
        exchange.check("get a\r\nquit\r\nget b\r\n", "END\r\n", end: .close)
        exchange.check("\u{80}".utf8.count == 2 ? "GET / HTTP/1.1\r\n" : "", "", end: .abort)
    }

    @Test func swallowing() {
        var exchange = Exchange()
        // The length can be read: the value is passed over. It can't: what follows is the next command.
        exchange.check(
            "set a x 0 3\r\nabc\r\nset a 0 x 3\r\nabc\r\ncas a 0 0 3\r\nabc\r\nset a 0 0 x\r\nabc\r\n"
                + "set a 0 0 -1\r\nset a 0 0 2\r\nabc\r\nset a 0 0 3 noreply\r\nabcd\r\nversion\r\n",
            badLine + badLine + badLine + badLine + "ERROR\r\n" + badLine + "CLIENT_ERROR bad data chunk\r\n"
                + badLine + badLine + "VERSION 1.6.45\r\n")
        let long = String(repeating: "k", count: 251)
        exchange.check("set \(long) 0 0 3\r\nabc\r\ndelete \(long)\r\n"
            + "version\r\n", badLine + badLine + "VERSION 1.6.45\r\n")
    }

    @Test func longKeyEndsARequest() {
        var exchange = Exchange()
        let long = String(repeating: "k", count: 251)
        exchange.check(
            "set a 0 0 1\r\nx\r\nget a\r\nget a \(long) a\r\nget a\r\n",
            "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n" + badLine + "VALUE a 0 1\r\nx\r\nEND\r\n")
    }

    @Test func tooLarge() {
        var exchange = Exchange { $0.itemSizeMax = 4096 }
        let value = String(repeating: "v", count: 5000)
        exchange.check(
            "set a 0 0 1\r\nx\r\nset a 0 0 5000\r\n\(value)\r\nget a\r\nset b 0 0 1\r\ny\r\n"
                + "add b 0 0 5000\r\n\(value)\r\n"
                + "get b\r\nset b 0 0 5000 noreply\r\n\(value)\r\nget b\r\n",
            "STORED\r\nSERVER_ERROR object too large for cache\r\nEND\r\nSTORED\r\n"
                + "SERVER_ERROR object too large for cache\r\nVALUE b 0 1\r\ny\r\nEND\r\nEND\r\n")
    }

    @Test func flush() {
        var exchange = Exchange()
        exchange.check(
            "set a 0 0 1\r\nx\r\nflush_all\r\nget a\r\nflush_all noreply\r\nflush_all x\r\nset a 0 0 1\r\n"
                + "y\r\n"
                + "flush_all 0 noreply\r\nget a\r\n",
            "STORED\r\nOK\r\nEND\r\nCLIENT_ERROR invalid exptime argument\r\nSTORED\r\nEND\r\n")
        var closed = Exchange { $0.allowsFlush = false }
        closed.check("flush_all\r\n", "CLIENT_ERROR flush_all not allowed\r\n")
    }

    @Test func noreply() {
        var exchange = Exchange()
        exchange.check(
            "set a 0 0 1 noreply\r\nx\r\nadd a 0 0 1 noreply\r\ny\r\nset a 0 0 1 norepl\r\nz\r\n"
                + "cas a 0 0 1 5 noreply\r\nw\r\nreplace b 0 0 1 noreply\r\nw\r\nappend a 0 0 1 noreply\r\n"
                + "!\r\nget a\r\n",
            "STORED\r\nVALUE a 0 2\r\nz!\r\nEND\r\n")
    }
}
