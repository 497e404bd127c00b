import NIOCore
import Testing
import WeirGates

@testable import WeirConnectors

@Suite("Readers of feeds")
struct FeedReaderTests {
    /// The bytes in every way to cut them into pieces of one size.
    private func pieces(_ text: String, _ size: Int) -> [ByteBuffer] {
        let bytes = Array(text.utf8)
        return stride(from: 0, to: bytes.count, by: size).map {
            ByteBuffer(bytes: bytes[$0..<min(bytes.count, $0 + size)])
        }
    }

    @Test("Items are the same however the document comes", arguments: [1, 2, 3, 7, 1_000])
    func items(size: Int) throws {
        let text =
            #"{"next": "a\u0062\"c", "n": -1.5e3, "more": true, "x": {"next": 1}, "#
            + #""d": {"v": [{"id": "1", "v": [{}]}, {"id": "}{"}]}, "v": [{"no": 1}], "end": null}"#
        var cutter = ItemCutter(items: "d.v", noting: ["next", "n", "more", "end", "absent"])
        for piece in pieces(text, size) { try cutter.feed(piece) }
        try cutter.finish()
        #expect(String(buffer: cutter.takeLines().lines) == "{\"id\": \"1\", \"v\": [{}]}\n{\"id\": \"}{\"}\n")
        #expect(cutter.notes == ["next": "ab\"c", "n": "-1.5e3", "more": "true"])
    }

    @Test("A path leads to an object or to the document itself too")
    func single() throws {
        for (path, text, expected) in [
            ("", "{\"a\":1}", "{\"a\":1}\n"), ("", "[{\"a\":1},{}]", "{\"a\":1}\n{}\n"), ("", "[]", ""),
            ("a", "{\"a\":{\"b\":2}}", "{\"b\":2}\n"),
        ] {
            var cutter = ItemCutter(items: path)
            try cutter.feed(ByteBuffer(string: text))
            try cutter.finish()
            #expect(String(buffer: cutter.takeLines().lines) == expected)
        }
    }

    @Test("CSV is the same however it comes", arguments: [1, 2, 5, 1_000])
    func csv(size: Int) throws {
        var reader = CSVReader(.init(delimiter: UInt8(ascii: ";"), comment: nil, columns: ["a", "b"]))
        for piece in pieces("1;\"x;\"\"y\"\"\nz\"\r\n\n#2;\n3", size) { try reader.feed(piece) }
        try reader.finish()
        let expected = "{\"a\":\"1\",\"b\":\"x;\\\"y\\\"\\nz\"}\n{\"a\":\"#2\",\"b\":\"\"}\n{\"a\":\"3\"}\n"
        #expect(String(buffer: reader.takeLines().lines) == expected)
    }

    @Test("CSV that is none says where", arguments: ["a,b\n1,2,3\n", "a,b\n\"1", "a,b\n\"1\"x,2\n"])
    func badCSV(text: String) {
        #expect(throws: BundleMistake.self) {
            var reader = CSVReader(.init())
            try reader.feed(ByteBuffer(string: text))
            try reader.finish()
        }
    }

    @Test("RSS, RDF and Atom become objects with their elements")
    func feeds() throws {
        let rss = """
            <?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x "<boom>">]><!-- c --><rss><channel><title>T</title>
            <item><title><![CDATA[<b>A</b>]]></title><link>http://a/?x=1&amp;y=2</link><category>p</category>
            <category>q</category><dc:creator>me &#x263a;&#33; &x; &nbsp;</dc:creator><guid isPermaLink="false"/>
            <enclosure url="http://a/f"/></item></channel></rss>
            """
        var lines = try FeedReader.read(ByteBuffer(string: rss))
        #expect(
            String(buffer: lines.take().lines)
                == #"{"title":"<b>A</b>","link":"http://a/?x=1&y=2","category":["p","q"],"#
                + #""dc:creator":"me ☺! &x; &nbsp;","guid":"","enclosure":"http://a/f"}"# + "\n")
        let atom = """
            <feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><link rel="alternate" href="http://a"/>
            <link rel="edit" href="http://e"/><author><name>N</name></author><category term="t"/></entry><entry/></feed>
            """
        lines = try FeedReader.read(ByteBuffer(string: atom))
        #expect(
            String(buffer: lines.take().lines)
                == #"{"id":"1","link":"http://a","link_edit":"http://e","author":"N","category":"t"}"# + "\n{}\n")
    }

    @Test(
        "What is no feed is refused, and never ends the process",
        arguments: [
            "", "<html></html>", "<rss><item></rss>", "<rss", "<rss a=", "<rss a='", "<", "<!", "</a>", "<a b/>", "{}",
        ])
    func noFeed(text: String) {
        #expect(throws: BundleMistake.self) { try FeedReader.read(ByteBuffer(string: text)) }
    }

    @Test("Elements that are nested without end are refused")
    func deep() {
        let text = "<rss>" + String(repeating: "<a>", count: 100_000)
        #expect(throws: BundleMistake.self) { try FeedReader.read(ByteBuffer(string: text)) }
    }

    @Test(
        "The Link header's next link is found",
        arguments: [
            ("<http://a/2>; rel=\"next\"", "http://a/2"), ("<b>; rel=next", "b"),
            ("<a>; rel=\"prev\", <c,d>; rel=\"last next\"", "c,d"),
            ("<a>; title=\"x, <y>; rel=next\"; rel=\"prev\"", nil),
            ("<a>", nil), ("<a", nil), ("", nil), ("<x>; rel=\"nextish\"", nil),
        ] as [(String, String?)])
    func linkHeader(header: String, next: String?) {
        #expect(LinkHeader.next(header) == next)
    }

    @Test("Addresses are set up and followed without breaking out")
    func addresses() throws {
        var address = try #require(FeedAddress("http://h:8080/p?a=1&b=%20"))
        address.set("a", "x&y=+ü")
        #expect(address.text == "http://h:8080/p?b=%20&a=x%26y%3D%2B%C3%BC")
        #expect(address.name == "http://h:8080/p")
        let next = try #require(address.following("/q?z=1"))
        #expect(next.text == "http://h:8080/q?z=1" && address.hasSameOrigin(as: next))
        let other = try #require(address.following("//other/x"))
        #expect(!address.hasSameOrigin(as: other))
        #expect(address.following("file:/etc/passwd").map { address.hasSameOrigin(as: $0) } != true)
        #expect(FeedAddress("file:///a/b")?.file == "/a/b" && FeedAddress("file:a")?.file == "a")
        for bad in ["", "x", "ftp://a", "http://", "file:", "file://host/a", "javascript:1"] {
            #expect(FeedAddress(bad) == nil, "\(bad)")
        }
    }
}
