import Testing
import WeirGates
import WeirSettings

@Suite("Reference and schema")
struct DescriptionTests {
    @Test("The reference table says type, default, range and meaning of every field, nested ones too")
    func table() {
        #expect(
            Reference.table(Sample.Settings.self) == """
                | setting | type | default | meaning |
                | --- | --- | --- | --- |
                | `url` | text | required | Where requests go. Example: `http://10.0.0.5/in`. |
                | `concurrency` | whole number | `5` | Requests in flight before the gate holds back. Allowed: 1 to \
                64. |
                | `timeout` | duration | `30s` | How long one request may take. Allowed: at least 1ms. |
                | `buffer` | size | `8MB` | Memory for what waits. Allowed: 1kB to 1GB. |
                | `on_full` | `block`, `drop_newest` | `block` | What happens when the buffer is full. `block`: Wait \
                for room. `drop_newest`: Drop what comes last, counted. |
                | `tls` | group | none | TLS, when set. |
                | `tls.ca` | text | none | File with the certificates to trust. |
                | `tls.certificate` | text | none | File with our certificate. |
                | `tls.key` | secret | none | Our private key. |
                | `urls` | list of group | none | More endpoints. |
                | `urls[].url` | text | required | Where requests go. |
                | `urls[].weight` | whole number | `1` | Its share of the events. Allowed: 1 to 100. |
                | `headers` | names, each with text | none | Added to each request. |
                | `when` | expression | `true` | Which events to take. |
                | `token` | secret | none | Sent as bearer token. |
                | `compress` | `true` or `false` | `false` | Compress bodies. Older name: `gzip`. |
                | `ratio` | number | none | A share. Allowed: 0 to 1. |
                | `most` | whole number | none | Old limit. Allowed: at least 1. Will go away: use `buffer`. |

                """)
    }

    /// A configuration with a catalogue in it.
    struct Whole: WeirSettings.Settings {
        struct Entry: SettingUnion {
            static let catalog = SettingCatalog<NoSettings>(
                noun: "destination",
                kinds: [
                    SettingKind("tcp", Sample.Endpoint.self, aliases: ["lines"], "Lines over TCP."),
                    SettingKind("drop", NoSettings.self, "Nothing is kept."),
                ])
            var typed: TypedSettings<NoSettings>
            init(_ typed: TypedSettings<NoSettings>) { self.typed = typed }
        }
        var data = "./d"
        var destinations = SettingMap<Entry>()
        static let fields: [Field<Self>] = [
            field("data", \.data, "The folder."), field("destinations", \.destinations, "Where data goes."),
        ]
    }

    @Test("A configuration's page has its table and a section for each kind")
    func page() {
        #expect(
            Reference.page(Whole.shape) == """
                | setting | type | default | meaning |
                | --- | --- | --- | --- |
                | `data` | text | `./d` | The folder. |
                | `destinations` | names, each with destination with a `type` | none | Where data goes. |

                ## destinations

                Where data goes.

                ### tcp

                Lines over TCP.

                Also: `lines`.

                | setting | type | default | meaning |
                | --- | --- | --- | --- |
                | `url` | text | required | Where requests go. |
                | `weight` | whole number | `1` | Its share of the events. Allowed: 1 to 100. |

                ### drop

                Nothing is kept.

                Nothing to set.


                """)
    }

    /// Settings that hold themselves must neither hang the reference nor the schema.
    struct Nested: WeirSettings.Settings {
        var name = ""
        var parts: [Nested] = []
        static let fields: [Field<Self>] = [
            field("name", \.name, "A name."), field("parts", \.parts, "What is inside."),
        ]
    }

    @Test("Settings that hold themselves are described once")
    func recursion() {
        #expect(Reference.table(Nested.self).split(separator: "\n").count == 4)
        let schema = Schema.document(of: Nested.self, title: "t", id: "i").json
        #expect(schema.contains("#/$defs/DescriptionTests.Nested"))
    }

    @Test("Numbers and texts print as JSON, whatever is in them")
    func json() {
        let value = PlainValue.map([
            PlainEntry(
                key: "a\"\n",
                value: .list([.whole(1), .number(1.5), .number(2), .truth(true), .null, .text("\u{1}é\u{7F}")])),
            PlainEntry(key: "b", value: .list([])), PlainEntry(key: "c", value: .map([])),
        ])
        #expect(
            value.json
                == "{\n  \"a\\\"\\n\": [1, 1.5, 2, true, null, \"\\u0001é\\u007f\"],\n  \"b\": [],\n  \"c\": {}\n}")
    }

    @Test("What was read is written back as it could have been written")
    func writesBack() {
        var settings = Sample.Settings()
        settings.url = "http://a"
        settings.token = Secret("hunter2")
        settings.tls = Sample.TLS()
        #expect(
            settings.plain.text
                == """
                { url: http://a, concurrency: 5, timeout: 30s, buffer: 8MB, on_full: block, tls: {}, urls: [], \
                headers: {}, when: true, token: ***, compress: false }
                """
        )
    }
}

@Suite("Nearest known word")
struct NearestTests {
    @Test(
        "Two edits at most, one for short words, swaps count as one; or the beginning of a word",
        arguments: [
            ("actoin", "action"), ("concurency", "concurrency"), ("maxSize", "max_size"), ("max-size", "max_size"),
            ("URL", "url"), ("ulr", "url"), ("to", nil),
            ("xyz", nil), ("", nil), ("concurrencyyyy", nil), ("ur", "url"), ("on", nil),
            ("conc", "concurrency"), ("action ", "action"),
        ] as [(String, String?)])
    func nearest(word: String, expected: String?) {
        #expect(Nearest.word(word, among: ["action", "concurrency", "max_size", "url"]) == expected)
    }

    @Test("A huge word is not compared")
    func huge() {
        #expect(Nearest.word(String(repeating: "a", count: 1_000_000), among: ["action"]) == nil)
    }
}
