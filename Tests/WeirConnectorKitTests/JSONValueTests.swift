import Testing
import WeirConnectorKit

@Suite("JSON values of the kit")
struct JSONValueTests {
    @Test(
        "are written as they were read",
        arguments: [
            #"{"b":1,"a":[true,false,null,-5,2.5,1e+22],"é":"\"\\\n😀"}"#, "[]", "{}", #""""#, "9223372036854775807",
            #"{"a":{"b":{"c":[[[1]]]}}}"#,
        ])
    func roundTrip(text: String) throws {
        #expect(try JSONValue(parsing: text).json == text)
    }

    @Test("are read whatever the space and the escapes")
    func space() throws {
        let value = try JSONValue(parsing: " {\n\t\"a\" : [ 1 , \"\\u00e9\\ud83d\\ude00\" ] } \n")
        #expect(value == ["a": [1, "é😀"]])
    }

    @Test(
        "are refused where the text is no JSON",
        arguments: [
            "", " ", "{", "[1", "{\"a\":}", "tru", "nan", "0x10", "+1", "1 2", "{\"a\":1}x", "\"\\q\"", "\"\\ud8\"",
            String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000),
        ])
    func mistakes(text: String) {
        #expect(throws: JSONMistake.self) { try JSONValue(parsing: text) }
    }

    @Test("keep the order of members; the last of two that have one name counts")
    func members() throws {
        var object: JSONObject = ["z": 1, "a": 2]
        object["m"] = 3
        object["z"] = nil
        object["a"] = "new"
        #expect(JSONValue.object(object).json == #"{"a":"new","m":3}"#)
        #expect(try JSONValue(parsing: #"{"a":1,"a":2}"#).object?["a"] == 2)
    }

    @Test("are made of whatever can be encoded")
    func encoding() throws {
        struct Thing: Encodable {
            var name = "a/b"
            var count = 2
        }
        #expect(try JSONValue(encoding: Thing()).json == #"{"count":2,"name":"a/b"}"#)
    }
}

@Suite("A connector's state")
struct ConnectorStateTests {
    @Test("is kept byte for byte")
    func bytes() throws {
        let text = "{ \"last_run\" :1795216041,\"e\\u0301\": 1.0 }"
        #expect(try ConnectorState(text).text == text)
        #expect(try ConnectorState("{\"a\":\"\u{e9}\"}") != ConnectorState("{\"a\":\"e\u{301}\"}"))
    }

    @Test("is an object", arguments: ["null", "[]", "3", "{", ""])
    func noObject(text: String) {
        #expect(throws: JSONMistake.self) { try ConnectorState(text) }
    }

    @Test("comes back as the type it was made of")
    func decoding() throws {
        struct Progress: Codable, Equatable {
            var last: Int
        }
        let state = try ConnectorState(encoding: Progress(last: 5))
        #expect(try state.decode(Progress.self) == Progress(last: 5))
        #expect(state.object["last"] == 5)
    }
}
