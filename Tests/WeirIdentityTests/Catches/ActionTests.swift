import Testing
import WeirIdentity
import WeirWorld

@Suite("An action's states")
struct ActionStateTests {
    @Test("follow one another as the picture shows, and in no other way")
    func table() {
        let allowed: [ActionState: [ActionEvent: ActionState]] = [
            .suspended: [
                .approve: .approved, .expireApproved: .approved, .reject: .rejected, .expireCleared: .expired,
                .supersede: .superseded, .drop: .obsolete,
            ],
            .approved: [.revoke: .rejected, .supersede: .superseded, .drop: .obsolete, .claim: .executing],
            .executing: [
                .succeed: .executed, .refuse: .failed, .lose: .unknown, .foundDone: .executed, .foundUndone: .approved,
            ],
            .unknown: [.foundDone: .executed, .foundUndone: .approved],
            .executed: [.confirm: .confirmed],
        ]
        for state in ActionState.allCases {
            for event in ActionEvent.allCases {
                #expect(state.after(event) == allowed[state]?[event], "\(state) after \(event)")
            }
        }
    }

    @Test("end: from every state a terminal one can be reached, and terminal ones stay")
    func ends() {
        for state in ActionState.allCases {
            var reached: Set<ActionState> = [state]
            for _ in ActionState.allCases {
                for from in reached { reached.formUnion(ActionEvent.allCases.compactMap { from.after($0) }) }
            }
            #expect(reached.contains { $0.isTerminal }, "\(state) has no end")
        }
        for state in [ActionState.confirmed, .failed, .rejected, .expired, .superseded, .obsolete] {
            #expect(state.isTerminal)
        }
    }
}

@Suite("Changes as bytes")
struct ChangeCodeTests {
    private let changes = [
        Change(
            operation: .modify, target: ObjectKind(silo: "ad"), anchor: "guid-1", name: "uid=é,ou=people",
            edits: [
                Change.Edit(attribute: "title", removes: ["A"], adds: ["B"], isReplaced: true),
                Change.Edit(attribute: "mail", removes: [], adds: ["x@y", "z"], isReplaced: false),
            ]),
        Change(operation: .rename, target: ObjectKind(silo: "ad"), anchor: nil, name: "a", newName: "b"),
        Change(operation: .delete, target: ObjectKind(silo: "ad", type: "group"), anchor: "", name: ""),
    ]

    @Test("are read back as they were")
    func roundTrip() throws {
        #expect(try ChangeCode.decode(ChangeCode.encode(changes)) == changes)
        #expect(try ChangeCode.decode(ChangeCode.encode([])) == [])
    }

    @Test("that are cut or changed never stop the process")
    func damage() {
        let bytes = ChangeCode.encode(changes)
        for length in 0..<bytes.count {
            #expect(throws: ChangeCode.Damage.self) { try ChangeCode.decode(bytes.prefix(length)) }
        }
        var random = SplitMix(seed: 7)
        for _ in 0..<2_000 {
            var wrong = bytes
            wrong[Int.random(in: 0..<wrong.count, using: &random)] = .random(in: 0...255, using: &random)
            _ = try? ChangeCode.decode(wrong)
        }
    }

    @Test("have a fingerprint that differs by rule, person, value and secret, and not by the rule's text")
    func fingerprint() {
        let encoded = ChangeCode.encode(changes)
        var rule = Rule(name: "r", kind: .update, target: ObjectKind(silo: "ad"))
        func print(_ identity: String = "1", _ encoded: [UInt8], _ secrets: [String: String] = [:]) -> Fingerprint {
            Fingerprint(rule: rule, identity: identity, encoded: encoded, secrets: secrets, key: [1, 2, 3])
        }
        let first = print("1", encoded)
        rule.condition = "true"
        #expect(print("1", encoded) == first)
        #expect(print("2", encoded) != first)
        #expect(print("1", ChangeCode.encode(Array(changes.dropLast()))) != first)
        let secret = print("1", encoded, ["userpassword": "a"])
        #expect(secret != first)
        #expect(print("1", encoded, ["userpassword": "b"]) != secret)
        #expect(Fingerprint(secret.description) == secret)
        rule.name = "s"
        #expect(print("1", encoded) != first)
    }
}
