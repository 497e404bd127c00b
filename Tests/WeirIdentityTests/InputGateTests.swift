import Testing
import WeirIdentity

@Suite("The input gate")
struct InputGateTests {
    private static let kind = ObjectKind(silo: "hr")

    private func reason(_ gate: InputGate, live: Int, gone: Int, seen: Int = 1, refused: Int = 0) -> ActionReason? {
        let found = InputGate.Findings(live: live, seen: seen, gone: gone, refused: refused)
        if case .quarantined(let reason, _) = gate.verdict(found, of: Self.kind) { return reason }
        return nil
    }

    @Test(
        "believes a loss of 10 % and of 49 objects, and neither more",
        arguments: [
            (1_000, 100, false), (1_000, 101, true), (1_001, 101, true), (1_010, 101, false), (60, 49, false),
            (60, 50, true), (499, 49, false), (500, 50, false), (499, 50, true),
        ])
    func shrunken(live: Int, gone: Int, isHeld: Bool) {
        #expect((reason(InputGate(), live: live, gone: gone) == .scanShrunk) == isHeld)
    }

    @Test("never believes an empty answer, however few there were, unless told to")
    func empty() {
        #expect(reason(InputGate(), live: 1, gone: 1, seen: 0) == .scanShrunk)
        #expect(reason(InputGate(), live: 0, gone: 0, seen: 0) == nil)
        var gate = InputGate()
        gate.allowsEmpty = true
        #expect(reason(gate, live: 1, gone: 1, seen: 0) == nil)
    }

    @Test("holds a scan with a single row that could not be read, or takes it without deleting anything")
    func partial() {
        #expect(reason(InputGate(), live: 10, gone: 1, refused: 1) == .scanIncomplete)
        var gate = InputGate()
        gate.takesPartial = true
        let found = InputGate.Findings(live: 10, seen: 9, gone: 1, refused: 1)
        guard case .partial = gate.verdict(found, of: Self.kind) else {
            Issue.record("a partial scan was not taken as one")
            return
        }
    }
}
