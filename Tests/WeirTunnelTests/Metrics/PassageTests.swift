import Testing
import WeirWorld

@testable import WeirTunnel

@Suite("The passage of some bytes")
struct PassageTests {
    private func at(_ milliseconds: Int64) -> Moment { .zero + .milliseconds(milliseconds) }

    private let none: (Moment) -> Duration = { _ in .zero }

    @Test("is over with its last byte, and another one may begin then")
    func whole() {
        var passage = Passage()
        passage.begin(100, at: at(0))
        #expect(passage.isUnderWay)
        #expect(passage.passed(60, at: at(5), way: none) == nil)
        #expect(passage.passed(40, at: at(7), way: none) == .init(write: .milliseconds(7), drain: .zero))
        #expect(!passage.isUnderWay && passage.passed(1, at: at(9), way: none) == nil)
    }

    @Test("drains for as long as credit takes longer than the way; the rest is writing")
    func credit() {
        var passage = Passage()
        passage.begin(10, at: at(0))
        passage.waits(.credit, at: at(10))
        #expect(
            passage.passed(10, at: at(110), way: { _ in .milliseconds(30) })
                == .init(write: .milliseconds(40), drain: .milliseconds(70)))
        passage.begin(10, at: at(200))
        passage.waits(.credit, at: at(200))
        #expect(
            passage.passed(10, at: at(220), way: { _ in .milliseconds(30) })
                == .init(write: .milliseconds(20), drain: .zero))
    }

    @Test("knows of the link only as time to write, and of a bandwidth limit not at all")
    func others() {
        var passage = Passage()
        passage.begin(10, at: at(0))
        passage.waits(.link, at: at(0))
        #expect(passage.passed(5, at: at(50), way: none) == nil)
        passage.waits(.rate, at: at(60))
        #expect(
            passage.passed(5, at: at(1_060), way: none) == .init(write: .milliseconds(60), drain: .zero))
    }
}
