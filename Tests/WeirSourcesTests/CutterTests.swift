import NIOCore
import Testing
import WeirFlow
import WeirTestKit
import WeirWorld

@testable import WeirSources

/// Feeds a cutter as the handler does, in the given pieces.
private func events<Cutter: StreamCutter>(_ cutter: Cutter, _ pieces: [ArraySlice<UInt8>], limit: Int, eachRead: Bool)
    -> [Batch]
{
    var cutter = cutter
    var gathered = ByteBuffer()
    var complete = 0
    var batches: [Batch] = []
    func take() {
        let whole = gathered.readSlice(length: complete) ?? ByteBuffer()
        gathered = gathered.copied()
        complete = 0
        if whole.readableBytes > 0 { batches += cutter.batches(of: whole, context: context) }
    }
    for piece in pieces {
        var read = ByteBuffer(bytes: piece)
        cutter.skip(&read)
        gathered.writeImmutableBuffer(read)
        complete = cutter.completeBytes(in: gathered, known: complete)
        if gathered.readableBytes - complete > limit + StreamShared.headerMost {
            cutter.shorten(&gathered, after: complete, to: limit)
            complete = gathered.readableBytes
        }
        if eachRead { take() }
    }
    cutter.finish(&gathered, after: complete)
    complete = gathered.readableBytes
    take()
    return batches
}

private let context = BatchContext(kind: .raw, source: "s", received: WallTime(nanoseconds: 0))

@Suite("stream cutters")
struct CutterTests {
    let meter = SourceMeter(name: "s", type: "t")

    @Test("Every cut of a syslog stream gives the same messages")
    func syslogCuts() async {
        let text = "<13>one\n7 <14>two<15>three\r\n\n10 <16>fo\nur!\n23 <17>five with the end\n\n<18>six\n9 <19>seven"
        let bytes = Array(text.utf8)
        let cutter = SyslogCutter(limit: 1_000, meter: meter)
        let whole = events(cutter, [bytes[...]], limit: 1_000, eachRead: false).flatMap(\.texts)
        #expect(
            whole == [
                "<13>one", "<14>two", "<15>three", "<16>fo\nur!", "<17>five with the end", "<18>six", "<19>seven",
            ])
        for cut in 0...bytes.count {
            await Task.yield()
            for second in cut...bytes.count {
                let pieces = [bytes[..<cut], bytes[cut..<second], bytes[second...]]
                for eachRead in [true, false] {
                    let found = events(cutter, pieces, limit: 1_000, eachRead: eachRead)
                    // `#expect` is too slow to be asked ten thousand times.
                    if found.flatMap(\.texts) != whole { Issue.record("cut at \(cut) and \(second)") }
                }
            }
        }
    }

    @Test("Every cut of a stream of lines gives the same lines")
    func lineCuts() {
        let bytes = Array("one\n\r\ntwo\r\n{\"a\":1}\n\n\nlast".utf8)
        for format in [LineFormat.auto, .lines] {
            let cutter = LineCutter(format: format, limit: 100, meter: meter)
            for cut in 0...bytes.count {
                for eachRead in [true, false] {
                    let found = events(cutter, [bytes[..<cut], bytes[cut...]], limit: 100, eachRead: eachRead)
                    #expect(found.flatMap(\.texts) == ["one", "two", "{\"a\":1}", "last"], "cut at \(cut)")
                }
            }
        }
    }

    @Test("What is longer than allowed is cut once, wherever the reads end")
    func longEvents() async {
        let long = String(repeating: "a", count: 300)
        let lines = Array("x\n\(long)\ny\n\(long)".utf8)
        let counted = Array("<1>x\n304 <13>\(long)<2>y\n<13>\(long)".utf8)
        for step in 1...320 {
            await Task.yield()
            var pieces: [ArraySlice<UInt8>] = []
            var rest = lines[...]
            while !rest.isEmpty {
                pieces.append(rest.prefix(step))
                rest = rest.dropFirst(step)
            }
            let cutter = LineCutter(format: .auto, limit: 100, meter: SourceMeter(name: "s", type: "t"))
            let found = events(cutter, pieces, limit: 100, eachRead: true).flatMap(\.texts)
            #expect(found.map(\.utf8.count) == [1, 100, 1, 100], "steps of \(step)")
            #expect(found[1].hasSuffix("…[cut]"))

            pieces = []
            rest = counted[...]
            while !rest.isEmpty {
                pieces.append(rest.prefix(step))
                rest = rest.dropFirst(step)
            }
            let meter = SourceMeter(name: "s", type: "t")
            let messages = events(SyslogCutter(limit: 100, meter: meter), pieces, limit: 100, eachRead: true).flatMap(
                \.texts)
            #expect(messages.map(\.utf8.count) == [4, 100, 4, 100], "steps of \(step)")
            #expect(meter.reading.malformed == ["too_long": 2], "steps of \(step)")
        }
    }

    @Test("NDJSON lines that are no objects go on as text, counted")
    func ndjson() {
        let cutter = LineCutter(format: .ndjson, limit: 100, meter: meter)
        let found = events(cutter, [Array("{\"a\":1}\nnonsense\n {\"b\":2}\n".utf8)[...]], limit: 100, eachRead: true)
        #expect(found.map(\.kind) == [.json, .raw])
        #expect(found.map(\.texts) == [["{\"a\":1}", " {\"b\":2}"], ["nonsense"]])
        #expect(meter.reading.malformed == ["not_json": 1])
    }

    @Test("Any bytes in any pieces: never a crash, never an event over the limit, never a line feed in a line")
    func anything() async {
        var random = SplitMix(seed: 99)
        let alphabet = Array("<<<>1234567890  \n\n\r\u{0}ab{}".utf8)
        for _ in 0..<1_000 {
            await Task.yield()
            var pieces: [ArraySlice<UInt8>] = []
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let length = Int.random(in: 0...60, using: &random)
                pieces.append(
                    (0..<length).map { _ in
                        Bool.random(using: &random)
                            ? alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                            : UInt8.random(in: 0...255, using: &random)
                    }[...])
            }
            let eachRead = Bool.random(using: &random)
            for batch in events(SyslogCutter(limit: 40, meter: meter), pieces, limit: 40, eachRead: eachRead) {
                let isFine = (0..<batch.count).allSatisfy {
                    batch.range(of: $0).count <= 40 && !batch.range(of: $0).isEmpty
                }
                if !isFine { Issue.record("\(pieces)") }
            }
            for batch in events(
                LineCutter(format: .ndjson, limit: 40, meter: meter), pieces, limit: 40, eachRead: eachRead)
            {
                let texts = batch.texts
                let isFine = (0..<batch.count).allSatisfy {
                    batch.range(of: $0).count <= 40 && !texts[$0].contains("\n")
                }
                if !isFine { Issue.record("\(pieces)") }
            }
        }
    }
}
