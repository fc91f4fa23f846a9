// Package tokens counts the tokens of text as OpenAI's models do, exactly, by byte pair encoding with the vocabularies
// o200k_base and cl100k_base. It is used before a request, for facts and budgets, and when a provider reports no usage.
//
//	n := tokens.ForModel("gpt-4o").Count(text)
//
// The package knows vocabularies, which models of OpenAI use which, and what a chat request counts besides its texts.
// It does not know requests, images, tools or prices. It has no vocabulary of other makers: for their models a count is
// that of o200k_base, which is close for English and far off for some scripts. What a provider reports always wins.
//
// Ids are those of tiktoken. Classes of characters are those of Go's package unicode: where tiktoken's Unicode tables
// are newer, text around a recently added character may be cut differently.
//
// # Cost
//
// Counting takes time and work linear in the text, whatever the text, and does not allocate; for a piece of text of
// more than 256 KiB without a blank, a digit or a change of kind it borrows two bits for each byte. o200k_base on one
// core of a shared AMD EPYC, the best of six runs of go test -bench Count:
//
//	                10 KB      100 KB
//	English         160 MB/s   100 MB/s
//	Go code         109 MB/s    79 MB/s
//	CJK              53 MB/s    56 MB/s
//	random letters   13 MB/s     9 MB/s   the slowest text found
//
// The two tables add 2.1 MB to the binary. Nothing is unfolded before it is asked for: the first O200K takes about 60 ms
// of CPU and keeps 12.5 MB, the first CL100K 20 ms and 6.2 MB. A server calls the one it needs before it is ready.
//
// NOTICE: the tables are derived from the vocabularies of OpenAI's tiktoken (MIT License, copyright 2022 OpenAI,
// Shantanu Jain), as packed in github.com/pkoukk/tiktoken-go-loader (MIT License, copyright 2023 ImmortalFog).
package tokens
