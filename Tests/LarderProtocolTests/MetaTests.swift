// The meta commands: flags, their faults, and the tokens that let one client of many refill an item.
import LarderStore
import Testing

@testable import LarderProtocol

private let badLine = "CLIENT_ERROR bad command line format\r\n"

@Suite struct MetaTests {
    @Test func getting() {
        var exchange = Exchange()
        exchange.check(
            "ms a 3 F5 T30 E9\r\nabc\r\nmg a\r\nmg a v\r\nmg a s v t f c k Oxyz\r\nmg a h l\r\nmg b v\r\n"
                + "mg b k O1\r\n"
                + "mg b q k\r\nmg a k q\r\nmg a v C9\r\nmg a v C8\r\nmn\r\n",
            "HD\r\nHD\r\nVA 3\r\nabc\r\nVA 3 s3 t30 f5 c9 ka Oxyz\r\nabc\r\nHD h1 l0\r\nEN\r\nEN kb O1\r\n"
                + "HD ka\r\n"
                + "HD\r\nVA 3\r\nabc\r\nMN\r\n")
        exchange.check(
            "ms a 1\r\nx\r\nmg a h u\r\nmg a h\r\nmg a h\r\nmg a t T9\r\nmg a t\r\nme none\r\nme\r\nmn x\r\n",
            "HD\r\nHD h0\r\nHD h0\r\nHD h1\r\nHD t-1\r\nHD t9\r\nEN\r\n" + badLine + "MN\r\n")
    }

    /// `default_ttl`: what exptime 0 means, wherever an item gets one. A time to come or past is itself.
    @Test func aDefaultForExptimeZero() {
        var exchange = Exchange { $0.defaultTTL = 60 }
        exchange.check(
            "set a 0 0 1\r\nx\r\nmg a t\r\nset a 0 7 1\r\nx\r\nmg a t\r\ntouch a 0\r\nmg a t\r\n"
                + "touch a 7\r\ngat 0 a\r\nmg a t\r\nset a 0 -1 1\r\nx\r\nmg a t\r\n",
            "STORED\r\nHD t60\r\nSTORED\r\nHD t7\r\nTOUCHED\r\nHD t60\r\nTOUCHED\r\n"
                + "VALUE a 0 1\r\nx\r\nEND\r\nHD t60\r\nSTORED\r\nEN\r\n")
        exchange.check(
            "ms b 1\r\nx\r\nmg b t\r\nms b 1 T0\r\nx\r\nmg b t T9\r\nmg b T0\r\nmg b t\r\nms b 1 T7\r\n"
                + "x\r\nmd b x\r\nmg b t\r\nmg c N0 t\r\nma n N0 t\r\nms b 1 MA T7\r\ny\r\nmg b t\r\n"
                + "mg b t R0\r\nms b 1 T-1\r\nx\r\nmg b t\r\n",
            "HD\r\nHD t60\r\nHD\r\nHD t60\r\nHD\r\nHD t60\r\nHD\r\nHD\r\nHD t60\r\nHD t60 W\r\n"
                + "HD t60\r\nHD\r\nHD t60\r\nHD t60\r\nHD\r\nEN\r\n")
        // flush_all 0 is now, not in a minute.
        exchange.check("set a 0 0 1\r\nx\r\nflush_all 0\r\nget a\r\n", "STORED\r\nOK\r\nEND\r\n")
    }

    @Test func setting() {
        var exchange = Exchange()
        exchange.check(
            "ms a 1 ME E3 c\r\nx\r\nms a 2 ME k O3\r\nyy\r\nms a 2 MA s\r\nyy\r\nms a 1 MP s q\r\nz\r\n"
                + "ms b 1 MR k\r\n"
                + "x\r\nms b 1 MA s\r\nx\r\nms b 3 MA N30 s\r\nabc\r\nmg b t\r\nms a 1 MX\r\nx\r\n"
                + "ms a 1 q\r\nx\r\n"
                + "mg a v s\r\n",
            "HD c3\r\nNS ka O3\r\nHD s3\r\nNS kb\r\nNS s1\r\nHD s3\r\nHD t30\r\n"
                + "CLIENT_ERROR invalid mode for ms M token\r\nVA 1 s1\r\nx\r\n")
        exchange.check(
            "ms a 1 E50\r\nx\r\nms a 1 C49 c\r\ny\r\nms a 1 C50 E51 c k\r\ny\r\nms n 1 C1 c\r\nz\r\n"
                + "ms a 1 MA C50\r\nz\r\nms a 1 MA C51 E52\r\nz\r\nmg a v c\r\n",
            "HD\r\nEX c0\r\nHD c51 ka\r\nNF c0\r\nEX\r\nHD\r\nVA 2 c52\r\nyz\r\n")
    }

    @Test func deletingAndCounting() {
        var exchange = Exchange()
        exchange.check(
            "md a\r\nms a 1 E5 F3\r\nx\r\nmd a C4 k\r\nmd a x q\r\nmg a s f v\r\nmd a q\r\nmd a q O1\r\n",
            "NF\r\nHD\r\nEX ka\r\nVA 0 s0 f0\r\n\r\nNF O1\r\n")
        exchange.check(
            "ma n\r\nma n N30 J13 v t\r\nma n v\r\nma n MI D10 v k\r\nma n MD D100 v\r\nma n q\r\n"
                + "ma n M+ v E9 c\r\n"
                + "ma n C8\r\nma n C9 T0 t\r\nma n MX\r\nset s 0 0 1\r\nx\r\nma s\r\nma z q N0\r\nmg z v\r\n",
            "NF\r\nVA 2 t30\r\n13\r\nVA 2\r\n14\r\nVA 2 kn\r\n24\r\nVA 1\r\n0\r\nVA 1 c9\r\n2\r\nEX\r\n"
                + "HD t-1\r\n"
                + "CLIENT_ERROR invalid mode for ma M token\r\nSTORED\r\n"
                + "CLIENT_ERROR cannot increment or decrement non-numeric value\r\nVA 1\r\n0\r\n")
    }

    @Test func faults() {
        var exchange = Exchange()
        let long = String(repeating: "k", count: 251)
        let flags = String(repeating: " v", count: 20)
        exchange.check(
            "mg a v v\r\nmg a S1\r\nmg a !\r\nmg a Tx\r\nmg a t z T\r\nmg \(long) v\r\nmg a\(flags)\r\n"
                + "mg YQ= b\r\n"
                + "mg a O\(String(repeating: "o", count: 32))\r\nma a v v\r\nma a Jx\r\nma a !\r\n"
                + "ma \(long)\r\nmd a Cx\r\n",
            "CLIENT_ERROR duplicate flag\r\nCLIENT_ERROR invalid flag\r\n" + badLine
                + "CLIENT_ERROR bad token in command line format\r\nCLIENT_ERROR invalid flag\r\n" + badLine
                + "CLIENT_ERROR options flags are too long\r\nCLIENT_ERROR error decoding key\r\n"
                + "CLIENT_ERROR opaque token too long\r\nCLIENT_ERROR invalid or duplicate flag\r\n"
                + "CLIENT_ERROR invalid or duplicate flag\r\n" + badLine
                + "CLIENT_ERROR invalid or duplicate flag\r\n"
                + "CLIENT_ERROR bad token in command line format\r\n")
        // A fault of the flags swallows the value, unless the line as such is bad.
        exchange.check(
            "ms a 3 Fx\r\nabc\r\nms a 3 v v\r\nabc\r\nms a x\r\nms a 3 !\r\nabc\r\nms \(long) 3\r\nabc\r\n"
                + "ms a 2 q\r\nabc\r\n",
            badLine + "CLIENT_ERROR duplicate flag\r\n" + badLine + badLine + "ERROR\r\n" + badLine
                + "CLIENT_ERROR bad data chunk\r\n" + badLine)
    }

    @Test func binaryKeys() {
        var exchange = Exchange()
        exchange.check(
            "ms AAEC/w== 1 b k\r\nx\r\nmg AAEC/w== b k v\r\nmg AAE= b k\r\nmd AAEC/w== k b\r\n"
                + "ma AAEC b N0 J5 v k\r\n",
            "HD kAAEC/w== b\r\nVA 1 kAAEC/w== b\r\nx\r\nEN kAAE= b\r\nHD kAAEC/w== b\r\nVA 1 kAAEC b\r\n"
                + "5\r\n")
    }

    /// Of many who find nothing, or something old, one is told to fetch it anew.
    @Test func tokens() {
        var exchange = Exchange()
        exchange.check(
            "mg a N30 v t\r\nmg a N30 v\r\nmg a\r\nms a 1 T90\r\nx\r\nmg a v R30\r\nmg a v R91\r\n"
                + "mg a v R91\r\nmg a v\r\n",
            "VA 0 t30 W\r\n\r\nVA 0 Z\r\n\r\nHD Z\r\nHD\r\nVA 1\r\nx\r\nVA 1 W\r\nx\r\nVA 1 Z\r\nx\r\n"
                + "VA 1 Z\r\nx\r\n")
        exchange.check(
            "ms n 2\r\n10\r\nmd n I\r\nincr n 1\r\nmg n v\r\nmg n\r\nma n D100\r\nmg n\r\n",
            "HD\r\nHD\r\n11\r\nVA 2 X W\r\n11\r\nHD Z X\r\nHD\r\nHD\r\n")
        exchange.check(
            "ms a 1 T90 E50\r\nx\r\nmd a I T20 E60\r\nmg a v t c\r\nmg a v\r\nms a 1 I C50 T80 E70\r\ny\r\n"
                + "mg a v t c\r\nms a 1 C70 T80\r\nz\r\nmg a v t\r\nms a 1 I C0\r\nw\r\n",
            "HD\r\nHD\r\nVA 1 t20 c60 X W\r\nx\r\nVA 1 Z X\r\nx\r\nHD\r\nVA 1 t20 c70 Z X\r\ny\r\nHD\r\n"
                + "VA 1 t80\r\nz\r\n"
                + "EX\r\n")
    }
}
