import Testing
import WeirDirectory

@Suite("A plan of members")
struct MembershipPlanTests {
    @Test("has each member once, however it is spelled")
    func dedupes() {
        let plan = MembershipPlan(
            adds: ["uid=a,dc=x", "UID=A, DC=X", "uid=b,dc=x"], deletes: ["uid=c,dc=x", "uid=c ,dc=x"])
        #expect(plan.pending.map(\.text) == ["uid=a,dc=x", "uid=b,dc=x", "uid=c,dc=x"])
        #expect(plan.pending.map(\.action) == [.add, .add, .delete])
        #expect(plan.doubled == 2)
    }

    @Test("leaves alone what is to come and to go")
    func cancels() {
        let plan = MembershipPlan(adds: ["uid=a,dc=x", "uid=b,dc=x"], deletes: ["UID=b,dc=x"])
        #expect(plan.pending.map(\.text) == ["uid=a,dc=x"])
        #expect(plan.doubled == 2)
    }

    @Test("of account names tells upper from lower case")
    func exact() {
        #expect(MembershipPlan(adds: ["ab", "AB"], deletes: [], by: .exact).pending.count == 2)
    }

    @Test(
        "goes into chunks of so many values, adds first",
        arguments: [
            (0, []), (1, [1]), (500, [500]), (501, [500, 1]),
            (1_000, [500, 500]), (1_001, [500, 500, 1]),
        ])
    func chunks(count: Int, sizes: [Int]) {
        let plan = MembershipPlan(adds: (0..<count).map { "uid=\($0),dc=x" }, deletes: [])
        #expect(plan.chunks().map(\.count) == sizes)
    }

    @Test("goes into chunks of so many bytes, and one value may be more")
    func bytes() {
        let long = String(repeating: "x", count: 600)
        let plan = MembershipPlan(adds: (0..<5).map { "uid=\(long)\($0),dc=x" }, deletes: ["uid=z,dc=x"])
        #expect(plan.chunks(most: 500, bytes: 1_300).map(\.count) == [2, 2, 2])
        #expect(plan.chunks(most: 500, bytes: 10).map(\.count) == [1, 1, 1, 1, 1, 1])
        #expect(plan.chunks(most: 500, bytes: 1_300).last?.map(\.action) == [.add, .delete])
    }

    @Test("A code alone never says that something is so: what is looked into, and what is refused at once")
    func meanings() {
        typealias Row = (code: Int32, openLDAP: CodeMeaning, ad: CodeMeaning)
        let adds: [Row] = [
            (0, .done, .done), (20, .perhapsSo, .perhapsSo), (68, .refused, .perhapsSo), (53, .refused, .perhapsSo),
            (16, .refused, .refused), (32, .refused, .refused), (122, .outdated, .outdated),
        ]
        let deletes: [Row] = [
            (0, .done, .done), (16, .perhapsSo, .perhapsSo), (53, .refused, .perhapsSo), (20, .refused, .refused),
            (68, .refused, .refused), (32, .refused, .refused), (65, .refused, .refused),
        ]
        let replaces: [Row] = [
            (16, .refused, .refused), (20, .refused, .refused), (53, .refused, .refused), (68, .refused, .refused),
        ]
        for (write, rows) in [
            (CodeMeaning.Write.addValues, adds), (.deleteValues, deletes), (.replaceValues, replaces),
        ] {
            for row in rows {
                #expect(CodeMeaning(ResultCode(row.code), to: write, on: .openLDAP) == row.openLDAP, "\(write) \(row)")
                #expect(CodeMeaning(ResultCode(row.code), to: write, on: .activeDirectory) == row.ad, "\(write) \(row)")
            }
        }
        #expect(CodeMeaning(.entryAlreadyExists, to: .addEntry, on: .openLDAP) == .perhapsSo)
        #expect(CodeMeaning(.noSuchObject, to: .deleteEntry, on: .openLDAP) == .perhapsSo)
        #expect(CodeMeaning(.noSuchObject, to: .renameEntry, on: .openLDAP) == .perhapsSo)
        #expect(CodeMeaning(.entryAlreadyExists, to: .renameEntry, on: .openLDAP) == .perhapsSo)
        #expect(CodeMeaning(.noSuchObject, to: .addEntry, on: .openLDAP) == .refused)
    }

    @Test("What is never swallowed, whatever was asked of whom")
    func neverSwallowed() {
        let final: [Int32] = [1, 2, 8, 10, 11, 12, 13, 17, 19, 21, 34, 48, 49, 50, 64, 65, 66, 67, 69, 71]
        for write in CodeMeaning.Write.allCases {
            for kind in ServerKind.allCases {
                for code in final { #expect(CodeMeaning(ResultCode(code), to: write, on: kind) == .refused) }
                for code: Int32 in [3, 51, 52, 80] {
                    #expect(CodeMeaning(ResultCode(code), to: write, on: kind) == .passing)
                }
            }
        }
    }
}
