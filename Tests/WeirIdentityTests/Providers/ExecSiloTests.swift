import Foundation
import Logging
import Testing
import WeirIdentity
import WeirWorld

@Suite("A silo that is a program")
struct ExecSiloTests {
    private static let kind = ObjectKind(silo: "phones")
    private let world = World.live(log: Logger(label: "test"))

    /// A phone book in a file of JSON: what somebody would write in an afternoon.
    private static let program = """
        import json, os, sys
        path, verb = sys.argv[1], sys.argv[2]
        ask = json.load(sys.stdin)
        book = json.load(open(path)) if os.path.exists(path) else {}
        def say(**answer): print(json.dumps(answer), flush=True)
        def shown(key): return {"anchor": key, "name": key, "attributes": book[key]}
        if verb == "scan":
            for key in sorted(book): say(object=shown(key))
            say(end={})
        elif verb == "read":
            key = ask["anchor"] or ask["name"]
            say(object=shown(key)) if key in book else say(end={})
        else:
            key = ask["anchor"] or ask["name"]
            there = book.get(key)
            now = dict(there or {})
            for edit in ask["edits"]:
                values = set() if edit["replace"] else set(now.get(edit["attribute"], []))
                now[edit["attribute"]] = sorted((values - set(edit["removes"])) | set(edit["adds"]))
            if ask["operation"] == "delete":
                if there is None: say(already={"anchor": key}); sys.exit()
                del book[key]
            elif ask["operation"] == "modify" and there is None:
                say(refused={"code": "no_such_object", "text": "gone"}); sys.exit()
            elif now == there:
                say(already={"anchor": key}); sys.exit()
            else:
                book[key] = now
            with open(path + ".new", "w") as file: json.dump(book, file)
            os.rename(path + ".new", path)
            say(written={"anchor": key})
        """

    private func silo(_ scratch: Scratch, _ program: String) throws -> ExecSilo {
        let path = try scratch.file("phones.py", program)
        var layout = ExecSilo.Layout(command: ["python3", path, scratch.path + "/book.json"])
        layout.environment = ["PATH": "/usr/bin:/bin"]
        layout.schemas = ["user": ObjectSchema(lists: ["phones"])]
        return ExecSilo(layout, world: world)
    }

    private func failure(_ program: String) async throws -> ScanFailure? {
        let scratch = try Scratch()
        let silo = try silo(scratch, program)
        do {
            _ = try await silo.scan(ScanRequest(kind: Self.kind)) { _ in }
            return nil
        } catch {
            return error
        }
    }

    @Test("keeps what every provider promises")
    func contract() async throws {
        let scratch = try Scratch()
        try await SiloContract(
            provider: try silo(scratch, Self.program), kind: Self.kind, attributes: { ["cn": ["user\($0)"]] },
            single: "cn", list: "phones", many: 8, awkward: ["O'Neil \"x\"", "Ж🙂"]
        ).run()
    }

    @Test("believes nothing of a program that fails, stops early or speaks otherwise")
    func failures() async throws {
        let failed = try await failure(
            "import sys; print('{\"end\":{}}'); print('no rights', file=sys.stderr); sys.exit(3)")
        #expect(failed?.code == "exit_3")
        #expect(failed?.text.contains("no rights") == true)
        #expect(try await failure("print('{\"object\":{\"anchor\":\"1\"}}')")?.code == "not_ended")
        #expect(try await failure("print('hello')")?.code == "bad_answer")
        #expect(try await failure("print('{\"object\":{}}')")?.code == "bad_answer")
        #expect(try await failure("print('{\"failed\":{\"code\":\"busy\",\"text\":\"later\"}}')")?.code == "busy")
    }

    @Test("takes a write without an answer for one of which nobody knows, and one that never began for a failure")
    func unknown() async throws {
        let scratch = try Scratch()
        let change = Change(operation: .delete, target: Self.kind, anchor: "1", name: "1")
        guard case .unknown = await (try silo(scratch, "pass")).write(change, secrets: [:]) else {
            Issue.record("no answer was taken for one")
            return
        }
        let nowhere = ExecSilo(ExecSilo.Layout(command: ["/nowhere/program"]), world: world)
        guard case .failed("not_started", _) = await nowhere.write(change, secrets: [:]) else {
            Issue.record("a program that is not there")
            return
        }
    }

    @Test("ends a program that hangs, and all that it started")
    func hangs() async throws {
        let scratch = try Scratch()
        let path = try scratch.file("hang.sh", "sleep 600 & sleep 600\n")
        var layout = ExecSilo.Layout(command: ["/bin/sh", path])
        layout.timeout = .seconds(1)
        layout.environment = ["PATH": "/usr/bin:/bin"]
        let silo = ExecSilo(layout, world: world)
        do {
            _ = try await silo.scan(ScanRequest(kind: Self.kind)) { _ in }
            Issue.record("a program that says nothing was believed")
        } catch {
            #expect(error.code == "timeout")
        }
    }
}
