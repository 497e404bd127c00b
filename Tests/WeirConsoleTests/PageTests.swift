import Foundation
import Testing
import WeirGates
import WeirNode

@testable import WeirConsole

@Suite("Pages")
struct PageTests {
    private func overview(_ node: FakeNode) -> String { OverviewPage(seen: Observatory(node: node).look()).markup.text }

    @Test("Nothing that was configured or received becomes markup")
    func escaping() throws {
        let node = FakeNode.hostile()
        let seen = Observatory(node: node).look()
        var pages = [OverviewPage(seen: seen).markup.text]
        pages += seen.gates.map { GatePage(reading: $0, seen: seen).markup.text }
        pages.append(
            ProblemPage(problem: .unknown("gate", FakeNode.hostileTexts.joined(), known: FakeNode.hostileTexts)).markup
                .text)
        for page in pages {
            // All tags of the page, taken apart as a browser would: quoted values first.
            let tags = page.matches(of: /<(\/?[a-zA-Z][a-zA-Z0-9-]*)((?:\s+[a-zA-Z0-9:-]+="[^"]*")*)\s*>/)
            #expect(page.split(separator: "<").count - 1 <= tags.count, "a < that opens no tag of ours")
            for tag in tags {
                for attribute in tag.2.matches(of: /\s([a-zA-Z0-9:-]+)="([^"]*)"/) {
                    #expect(!attribute.1.hasPrefix("on"))
                    #expect(attribute.1 != "style", "the policy refuses inline styles")
                    if attribute.1 == "href" || attribute.1 == "action" || attribute.1 == "src" {
                        #expect(attribute.2.hasPrefix("/") || attribute.2 == "#main", "\(attribute.2)")
                    }
                }
                #expect(tag.1.lowercased() != "img")
            }
            #expect(page.matches(of: /<script/).count == 1)
            #expect(!page.unicodeScalars.contains { $0 == "\u{202E}" || $0 == "\u{1B}" })
        }
    }

    @Test("The builder escapes text and values alike")
    func builder() {
        let markup = tag("p", ["title": "a\"b<c>'d&"]) { "<b>&amp;</b>" }
        #expect(markup.text == "<p title=\"a&quot;b&lt;c&gt;&#39;d&amp;\">&lt;b&gt;&amp;amp;&lt;/b&gt;</p>")
        #expect(tag("br").text == "<br>")
    }

    @Test("An empty node says what to do next")
    func empty() {
        let page = overview(FakeNode())
        #expect(page.contains("No gates yet"))
        #expect(page.contains("weir demo"))
    }

    @Test("Every state has a word, a shape and a tone of its own kind")
    func states() {
        let faces = GateState.allCases.map(StateFace.init)
        #expect(Set(faces.map(\.path)).count == faces.count)
        #expect(Set(faces.map(\.word)).count == faces.count)
        for face in faces {
            for style in [".\(face.tone){", ".e-\(face.tone){", ".b-\(face.tone){", ".i-\(face.tone){"] {
                #expect(ConsoleStyle.text.contains(style), "\(style)")
            }
        }
    }

    @Test("A gate's page says that there are dead letters, and what to do with them")
    func deadLetters() throws {
        let seen = Observatory(node: FakeNode.busy()).look()
        #expect(GatePage(reading: .siem, seen: seen).markup.text.contains("weir queue replay siem"))
        #expect(!GatePage(reading: .archive, seen: seen).markup.text.contains("Dead letters"))
    }

    @Test("A held gate can be released by a form, an open one held")
    func forms() {
        let page = overview(.busy())
        #expect(
            page.contains(#"<form method="post" action="/gates/mirror/release" id="release:mirror" class="shown">"#))
        #expect(page.contains(#"<form method="post" action="/gates/mirror/hold" id="hold:mirror" class="gone">"#))
        #expect(page.contains(#"<form method="post" action="/gates/archive/hold" id="hold:archive" class="shown">"#))
    }

    @Test("The page works without the script: it loads itself again")
    func withoutScript() {
        #expect(overview(.busy()).contains(#"<noscript><meta http-equiv="refresh" content="5"></noscript>"#))
    }

    @Test("A hundred gates are drawn as the forty most pressed, and listed all")
    func many() {
        let node = FakeNode()
        for number in 0..<100 {
            var reading = GateReading.relay
            reading.id = "gate-\(number)"
            reading.receiver = reading.id
            reading.state = number < 40 ? .blocking : .open
            node.publish(reading)
        }
        let page = overview(node)
        #expect(page.matches(of: /id="fbar:/).count == FlowGraph.rowsMost)
        #expect(page.matches(of: /id="row:/).count == 100)
        #expect(page.contains("The 40 most pressed of 100 gates are drawn"))
    }

    @Test("The structure changes when a gate comes or goes, not when a level does")
    func structure() {
        let node = FakeNode.busy()
        let observatory = Observatory(node: node)
        let before = observatory.look().structure
        var relay = GateReading.relay
        relay.level = 1
        node.publish(relay)
        #expect(observatory.look().structure == before)
        node.gates.withdraw("relay")
        #expect(observatory.look().structure != before)
    }

    @Test("The module has no way to make markup out of text")
    func script() {
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            #expect(!ConsoleScript.text.contains(word), "\(word)")
        }
        let attributes = ["class", "d", "points", "width"]
        for cell in LiveCells(Observatory(node: FakeNode.busy()).look()).cells.values {
            for name in (cell.a ?? [:]).keys { #expect(attributes.contains(name) || name == "data-lines") }
        }
    }
}
