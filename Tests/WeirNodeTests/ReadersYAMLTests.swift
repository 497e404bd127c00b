import Glibc
import Testing
import WeirGates
import WeirNode
import WeirSettings
import WeirWorld

@Suite("YAML reader")
struct ReadersYAMLTests {
    @Test("A good file reads without a problem, and every value knows its line")
    func goodFile() throws {
        let (configuration, problems, provenance) = readSample(
            """
            data: ./weir-data
            destinations:
              siem:
                type: http
                urls: [ { url: "http://10.0.0.5/in", weight: 2 }, { url: "http://10.0.0.6/in" } ]
                concurrency: 7
                country: no
                on_backpressure: queue
                queue: { max_size: 8MiB }
              archive: { type: files, path: ./archive }
            routes:
              - { name: alerts, when: "event.severity <= 3", to: siem }
              - name: rest
                to: [archive, siem]
                final: false
            """)
        #expect(problems.isEmpty)
        let read = try #require(configuration)
        let siem = try #require(read.destinations["siem"]?.typed)
        let http = try #require(siem.own as? SampleHTTP)
        #expect(siem.kind == "http")
        #expect(http.urls.map(\.weight) == [2, 1])
        #expect(http.concurrency == 7)
        #expect(http.country == "no")
        #expect(siem.common.queue?.sizeMost == .mebibytes(8))
        #expect(siem.origin.description == "weir.yaml:3")
        #expect(read.destinations["archive"]?.typed.kind == "filesystem")
        #expect(read.routes.map(\.to.values) == [["siem"], ["archive", "siem"]])
        #expect(provenance.origin(of: "destinations.siem.concurrency").description == "weir.yaml:6")
        #expect(provenance.origin(of: "destinations.siem.urls[1].url").precise == "weir.yaml:5:62")
        #expect(provenance.origin(of: "destinations.siem.timeout").description == "default")
    }

    @Test("All problems of a file are told at once, with line, caret and what to do")
    func goldenProblems() {
        let (configuration, problems, _) = readSample(
            """
            data: ./weir-data
            dastinations: {}
            destinations:
              siem:
                type: http
                url: 10.0.0.5/in
                concurrency: 500
                timeout: 30
                compress: yes
                gzip: true
                buffer: 8M
                token: hunter2
                on_backpressure: quue
                actoin: block
                headers: [a, b]
              copy:
                tpye: http
              third: { type: htpp }
              fourth: { type: filesystem, pth: x }
              fifth: drop
            routes:
              - { name: "", to: siem, when: }
              - to: [siem, [a]]
            """)
        #expect(configuration == nil)
        #expect(
            ProblemText().text(problems) == """
                weir.yaml:2:1: error: `dastinations` is not a setting of the configuration
                  2 | dastinations: {}
                    | ^^^^^^^^^^^^
                    = did you mean `destinations`?

                weir.yaml:6:10: error: `url` must start with http:// or https://
                  6 |     url: 10.0.0.5/in
                    |          ^^^^^^^^^^^
                    = Where requests go.

                weir.yaml:7:18: error: `concurrency` must be 1 to 64, not `500`
                  7 |     concurrency: 500
                    |                  ^^^
                    = Requests in flight before the gate holds back.

                weir.yaml:8:14: error: `timeout` must be a duration: `30` has no unit
                  8 |     timeout: 30
                    |              ^^
                    = write `30s` for seconds or `30ms` for milliseconds

                weir.yaml:9:15: error: `compress` must be `true` or `false`, not `yes`
                  9 |     compress: yes
                    |               ^^^
                    = write `true`

                weir.yaml:10:5: error: `gzip` and `compress` are the same setting, written twice
                 10 |     gzip: true
                    |     ^^^^
                    = keep `compress` only

                weir.yaml:11:13: error: `buffer` must be a size: `8M` has no clear unit
                 11 |     buffer: 8M
                    |             ^^
                    = write `8MB` or `8MiB` (binary)

                weir.yaml:12:12: warning: `token` is written literally, so everybody who reads this file has it
                 12 |     token: *******
                    |            ^^^^^^^
                    = write `{ file: PATH }` or `{ env: NAME }`

                weir.yaml:13:22: error: `on_backpressure` must be one of `block`, `drop`, `queue`, not `quue`
                 13 |     on_backpressure: quue
                    |                      ^^^^
                    = did you mean `queue`?

                weir.yaml:14:5: error: `actoin` is not a setting of `destinations.siem`
                 14 |     actoin: block
                    |     ^^^^^^
                    = known: `buffer`, `compress`, `concurrency`, `country`, `drain`, `headers`, `most`, \
                `on_backpressure`, `queue`, `ratio`, `share`, `timeout`, `token`, `type`, `url`, `urls`

                weir.yaml:15:14: error: `headers` must be names with a value each, not a list
                 15 |     headers: [a, b]
                    |              ^^^^^^
                    = write `name: value`, one on each line

                weir.yaml:16:3: error: `type` is missing from `destinations.copy`
                 16 |   copy:
                    |   ^^^^
                    = did you mean `type` instead of `tpye`?

                weir.yaml:18:18: error: there is no destination of type `htpp`
                 18 |   third: { type: htpp }
                    |                  ^^^^
                    = did you mean `http`?

                weir.yaml:19:3: error: `path` is missing from `destinations.fourth`
                 19 |   fourth: { type: filesystem, pth: x }
                    |   ^^^^^^
                    = add `path`: The folder.

                weir.yaml:19:31: error: `pth` is not a setting of `destinations.fourth`
                 19 |   fourth: { type: filesystem, pth: x }
                    |                               ^^^
                    = did you mean `path`?

                weir.yaml:20:10: error: `fifth` must be a group of settings, not `drop`
                 20 |   fifth: drop
                    |          ^^^^
                    = write `key: value`, one on each line and indented

                weir.yaml:22:13: error: `name` is empty
                 22 |   - { name: "", to: siem, when: }
                    |             ^^
                    = For messages.

                weir.yaml:22:27: error: nothing is written after `when`
                 22 |   - { name: "", to: siem, when: }
                    |                           ^^^^
                    = write text, in quotes when it holds `: ` or ` #`

                weir.yaml:23:5: error: `name` is missing from `routes[1]`
                 23 |   - to: [siem, [a]]
                    |     ^^
                    = add `name`: For messages.

                weir.yaml:23:16: error: `to[1]` must be text, not a list
                 23 |   - to: [siem, [a]]
                    |                ^^^
                    = write text, in quotes when it holds `: ` or ` #`

                19 errors, 1 warning

                """)
    }

    @Test(
        "Syntax errors say what a person did, at the right place",
        arguments: [
            (
                "a: [1, 2\nb: 3\n",
                """
                weir.yaml:2:2: error: the list opened with `[` is not closed (opened in line 1) (separate its \
                items by `,` and close it with `]`)
                """
            ),
            (
                "a: {b: 1\nc: 3",
                """
                weir.yaml:2:2: error: the group opened with `{` is not closed (opened in line 1) (separate its \
                entries by `,` and close it with `}`)
                """
            ),
            (
                "a: b: c\n",
                """
                weir.yaml:1:5: error: a `:` stands where no key can be (put text that holds `: ` in quotes, or \
                check the indentation of this line and the one above)
                """
            ),
            (
                "a:\n\tb: 1\n",
                "weir.yaml:2:1: error: a tab stands where the line should be indented (indent with spaces)"
            ),
            ("a: @b\n", "weir.yaml:1:4: error: text cannot begin with `@` (put the text in quotes)"),
            ("a: 'b\nc: d\n", "weir.yaml:1:4: error: the quotes are never closed (close them)"),
            (
                "a:\n    b: 1\n  c: 2\n",
                """
                weir.yaml:3:3: error: this line fits nothing above it (check its indentation, and quotes and \
                brackets in the lines above)
                """
            ),
            (
                "a:\n  - b\n  c: 2\n",
                """
                weir.yaml:3:3: error: this line does not continue the list above (begin it with `- `, or indent \
                it less)
                """
            ),
            (
                "a: 1\n---\nb: 2\n",
                """
                weir.yaml:2:1: error: a second document begins here (take out the `---`, or put the second part \
                into a file of its own in a folder)
                """
            ),
            (
                "a: *b\n",
                """
                weir.yaml:1:4: error: `*b` stands for nothing: there is no `&b` above (put text that begins \
                with `*` in quotes)
                """
            ),
            (
                "a: &x [ *x ]\n",
                """
                weir.yaml:1:9: error: `*x` stands for nothing: there is no `&x` above (put text that begins \
                with `*` in quotes)
                """
            ),
            (
                "a: !ruby/object x\n",
                """
                weir.yaml:1:4: error: the tag `!ruby/object` means nothing here (take it out, or put text that \
                begins with `!` in quotes)
                """
            ),
            ("[a]: b\n", "weir.yaml:1:1: error: a key must be a single word (write `key: value`)"),
            (": b\n", "weir.yaml:1:1: error: a key is missing before the `:` (write `key: value`)"),
            (
                "data: \u{7}\n",
                """
                weir.yaml:1:7: error: there is a control character (take it out, or write it as `\"\\x07\"` in \
                double quotes)
                """
            ),
            (
                "- a\n",
                """
                weir.yaml:1:1: error: the configuration must be a group of settings, not a list (write `key: \
                value`, one on each line and indented)
                """
            ),
            (
                "a: \"\\q\"\n",
                "weir.yaml:1:5: error: this escape is not known (write `\\\\` for a backslash, or use single quotes)"
            ),
        ])
    func syntaxErrors(text: String, expected: String) {
        #expect(readSample(text).problems.first?.description == expected)
    }

    @Test("Bytes that are not UTF-8 are refused at their line")
    func notText() {
        let result = YAMLReader().read(Array("a: 1\nb: ".utf8) + [0xFF, 0xFE], file: "weir.yaml")
        #expect(
            result.problems.first?.description
                == "weir.yaml:2:4: error: this is not UTF-8 text (invalid leading UTF-8 octet) (save the file as UTF-8)"
        )
    }

    @Test("A key that is written twice is told with both lines, and the rest is still checked")
    func duplicateKeys() {
        let (_, problems, _) = readSample("data: a\napi:\n  listen: x\n  listen: y\n\"data\": b\nbogus: 1\n")
        #expect(
            problems.map(\.description) == [
                "weir.yaml:4:3: error: `listen` is written twice (it was first written in line 3; keep one of them)",
                "weir.yaml:5:1: error: `data` is written twice (it was first written in line 1; keep one of them)",
                """
                weir.yaml:6:1: error: `bogus` is not a setting of the configuration (known: `api`, `data`, \
                `destinations`, `routes`)
                """,
            ])
    }

    @Test("Anchors, aliases and merges work, and what is written beside a merge wins")
    func aliases() throws {
        let (configuration, problems, provenance) = readSample(
            """
            destinations:
              a: &base { type: http, url: "http://a/", concurrency: 2 }
              b: { <<: *base, concurrency: 3 }
              c: *base
            """)
        #expect(problems.isEmpty)
        let read = try #require(configuration)
        #expect((read.destinations["b"]?.typed.own as? SampleHTTP)?.concurrency == 3)
        #expect((read.destinations["c"]?.typed.own as? SampleHTTP)?.url == "http://a/")
        #expect(provenance.origin(of: "destinations.b.url").description == "weir.yaml:2")
    }

    @Test(
        "Windows line ends, a byte order mark and an empty file are fine",
        arguments: ["", "# nothing\n", "\u{FEFF}data: x\r\n", "data: x\r\napi:\r\n  listen: y\r\n"])
    func harmless(text: String) {
        #expect(readSample(text).problems.isEmpty)
    }

    @Test(
        "Text that looks like something else stays text where text is wanted",
        arguments: [
            "no", "on", "yes", "1.10", "0123", "2026-11-21", "0x1F", "1e3", "true", ".5", "12:30:45",
        ])
    func norway(text: String) {
        let (configuration, problems, _) = readSample("data: \(text)\n")
        #expect(problems.isEmpty)
        #expect(configuration?.data == text)
    }

    @Test(
        "A secret never shows, whatever is wrong with its line",
        arguments: [
            "api: { token: hunter2, listen: [x] }\n", "api: { tokn: hunter2 }\n",
            "api: { listen: [x], token: \"hunter2\" }\n",
            "api:\n  token: hunter2\n  token: hunter2\n", "api: { token: hunter2, a: b: c }\n",
            "api:\n  token: hunter2: x\n",
            "api:\n  token: [hunter2]\n", "api:\n  password: 'hunter2\n",
            "destinations: { a: { typ: http, token: hunter2 } }\n",
            "destinations: { a: { type: http, headers: { Authorization: Bearer hunter2, x: [] } } }\n",
            "api: {token:   hunter2 , \"api-key\" : hunter2, listen: {}}\n", "api:\n  token: {fil: hunter2}\n",
        ])
    func secretsStayHidden(text: String) {
        let (_, problems, _) = readSample(text)
        #expect(!problems.isEmpty)
        let shown = ProblemText().text(problems)
        #expect(!shown.contains("hunter2") || text.contains("fil:"), "\(shown)")
    }

    @Test("Text from a file cannot steer the terminal")
    func terminalEscapes() {
        let problem = SettingProblem(
            "`a\u{1B}[2J` \u{202E}bad",
            at: .file(SettingPlace(file: "w\u{7}", line: 1, column: 3, text: "\u{1B}]0;x\tb")), help: "\u{9B}x")
        let shown = ProblemText().text(problem)
        #expect(shown == "w·:1:3: error: `a·[2J` ·bad\n  1 | ·]0;x b\n    |   ^\n    = ·x\n")
    }

    @Test("A long line is cut round the caret")
    func longLine() {
        let text = String(repeating: "x", count: 5_000) + "HERE" + String(repeating: "y", count: 5_000)
        let problem = SettingProblem(
            "m", at: .file(SettingPlace(file: "f", line: 1, column: 5_001, length: 4, text: text)))
        let lines = ProblemText().text(problem).split(separator: "\n").map { Array($0) }
        let caret = lines[2].firstIndex(of: "^") ?? 0
        #expect(lines[1].count < 140)
        #expect(String(lines[1][caret..<caret + 4]) == "HERE")
        #expect(lines[2].count { $0 == "^" } == 4)
    }

    @Test("Colours come only when asked for")
    func colours() {
        let problem = SettingProblem("m")
        #expect(!ProblemText().text(problem).contains("\u{1B}"))
        #expect(ProblemText(isColoured: true).text(problem).contains("\u{1B}[1;31merror:"))
    }
}
