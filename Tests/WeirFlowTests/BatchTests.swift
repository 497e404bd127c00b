import NIOCore
import Testing
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

private let context = BatchContext(kind: .raw, source: "test", received: WallTime(nanoseconds: 0))

@Suite("A batch")
struct BatchTests {
    @Test("cuts lines exactly where the line feeds are, for every length around the scanner's 64-byte steps")
    func lines() {
        for length in 0..<150 {
            let line = String(repeating: "x", count: length)
            let all = ByteBuffer(string: line + "\n" + "\n" + line + "y\n")
            #expect(Batch.lines(all, context: context).texts == [line, "", line + "y"], "length \(length)")
        }
    }

    @Test("finds every line though there are far more than the scanner's first guess")
    func manyShortLines() {
        let all = ByteBuffer(string: String(repeating: "\n", count: 100_000))
        #expect(Batch.lines(all, context: context).count == 100_000)
        #expect(Batch.lines(ByteBuffer(), context: context).isEmpty)
    }

    @Test("works on a slab whose reader index is not zero")
    func movedReader() {
        var all = ByteBuffer(string: "skipped|one\ntwo\n")
        all.moveReaderIndex(forwardBy: 8)
        let batch = Batch.lines(all, context: context)
        #expect(batch.texts == ["one", "two"])
        #expect(batch.slice(1..<2).texts == ["two"])
    }

    @Test("gives any slice and any choice of its events, against plain arrays")
    func slicesAndChoices() {
        var random = SplitMix(seed: 7)
        for _ in 0..<300 {
            let words = (0..<Int.random(in: 1...20, using: &random)).map { index in
                String(repeating: "ab\u{e9}", count: Int.random(in: 0...9, using: &random)) + "\(index)"
            }
            let batch = Batch.texts(words, context: context)
            #expect(batch.texts == words)
            let low = Int.random(in: 0...words.count, using: &random)
            let high = Int.random(in: low...words.count, using: &random)
            #expect(batch.slice(low..<high).texts == Array(words[low..<high]))
            let chosen = words.map { _ in Bool.random(using: &random) }
            let picked = batch.slice(low..<high).selecting(chosen[low..<high])
            #expect(picked.texts == zip(words, chosen)[low..<high])
        }
    }

    @Test("says how many of its events fit into any room")
    func fitting() {
        let batch = Batch.texts(["a", "bb", "", "dddd"], context: context)
        let fitting = (0...12).map { batch.countFitting($0) }
        #expect(fitting == [0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 3, 4, 4])
        #expect(batch.slice(1..<3).detached().texts == ["bb", ""])
    }

    @Test("is cut so that every run fits, is as long as it can be, and none is empty")
    func cutting() {
        let words = (0..<60).map { String(repeating: "x", count: $0 * 7 % 13) }
        let batch = Batch.texts(words, context: context)
        for bytes in 1..<40 {
            for events in [1, 2, 3, 7, 60, .max] {
                let runs = batch.cuts(bytes: bytes, events: events)
                #expect(runs.flatMap { Array($0) } == Array(0..<60), "in order, without a gap")
                for (place, run) in runs.enumerated() {
                    let size = batch.slice(run).byteCount
                    #expect(run.count == 1 || (run.count <= events && size <= bytes))
                    guard place + 1 < runs.count else { continue }
                    let more = batch.slice(run.lowerBound..<(run.upperBound + 1))
                    #expect(more.byteCount > bytes || more.count > events, "one more event would have fitted")
                }
            }
        }
        #expect(batch.cuts(bytes: 1 << 20, events: 60) == [0..<60])
        #expect(batch.slice(0..<0).cuts(bytes: 1, events: 1).isEmpty)
    }

    @Test("is bare as soon as one event contains a line feed, and keeps every byte")
    func bareFraming() {
        let batch = Batch.texts(["one", "two\nlines", ""], context: context)
        #expect(batch.framing == .bare)
        #expect(batch.texts == ["one", "two\nlines", ""])
        #expect(Batch.texts(["one", "two"], context: context).framing == .newline)
    }

    @Test("joins with others of the same context, and only with those")
    func joining() throws {
        let other = BatchContext(kind: .json, source: "test", received: WallTime(nanoseconds: 5))
        let joined = try #require(
            Batch.joined([
                .texts(["a", "b"], context: context), .texts([], context: context), .texts(["c"], context: context),
            ]))
        #expect(joined.texts == ["a", "b", "c"])
        #expect(Batch.joined([.texts(["a"], context: context), .texts(["b"], context: other)]) == nil)
        #expect(Batch.joined([.texts(["a"], context: context), .texts(["b\nc"], context: context)]) == nil)
    }
}

extension Zip2Sequence where Sequence1 == [String], Sequence2 == [Bool] {
    fileprivate subscript(range: Range<Int>) -> [String] { Array(self)[range].filter(\.1).map(\.0) }
}

@Suite("A receipt")
struct ReceiptTests {
    @Test("answers all who wait, and those who ask later, with its first settlement")
    func settlesOnce() async {
        let receipt = Receipt()
        async let early = receipt.settled()
        receipt.settle(.lost(.init("stopped", "Weir stops.")))
        receipt.settle(.kept)
        #expect(await early == .lost(.init("stopped", "Weir stops.")))
        #expect(await receipt.settled() == .lost(.init("stopped", "Weir stops.")))
    }

    @Test("of several batches is as bad as the worst of them")
    func worst() async {
        #expect(await Receipt.settled([.kept, .kept]) == .kept)
        #expect(await Receipt.settled([.kept, .lost(.init("x", "")), .kept]) == .lost(.init("x", "")))
        #expect(await Receipt.settled([]) == .kept)
    }
}
